CREATE TABLE trusted_documents (
    tenant_id UUID NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT,
    text TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    added_by_kind TEXT NOT NULL,
    added_by_id TEXT,
    added_by_name TEXT,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_trusted_documents PRIMARY KEY (tenant_id, sha256),
    CONSTRAINT ck_trusted_documents_added_by_kind CHECK (added_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE INDEX ix_trusted_documents_added ON trusted_documents (tenant_id, added_at, sha256);

CREATE TABLE document_policies (
    tenant_id UUID NOT NULL,
    mode TEXT NOT NULL,
    revision BIGINT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_document_policies PRIMARY KEY (tenant_id),
    CONSTRAINT ck_document_policies_mode CHECK (mode IN ('OFF', 'LOG', 'ENFORCE'))
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['trusted_documents', 'document_policies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO hoc_app '
            'USING (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid)) '
            'WITH CHECK (tenant_id = (SELECT nullif(current_setting(''app.tenant_id'', true), '''')::uuid))',
            tenant_table);
        EXECUTE format('GRANT SELECT, INSERT ON %I TO hoc_app', tenant_table);
    END LOOP;
END $$;

-- A document's text stays what its SHA-256 says: only its retirement is ever marked.
GRANT UPDATE (retired_at) ON trusted_documents TO hoc_app;
GRANT UPDATE ON document_policies TO hoc_app;

ALTER TABLE audit_ledger DROP CONSTRAINT ck_audit_ledger_entity_type;
ALTER TABLE audit_ledger ADD CONSTRAINT ck_audit_ledger_entity_type CHECK (entity_type IN ('RUN', 'INGEST', 'SIGNAL', 'POLICY_RULE', 'LIMIT', 'MODEL_PRICE', 'API_KEY', 'TENANT', 'OPERATION', 'TRUSTED_DOCUMENT'));
