-- Files that were handed out. One with payloads is not kept: what is erased later must not live on here.
CREATE TABLE exports (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    format TEXT NOT NULL,
    filename TEXT NOT NULL,
    checksum BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    payloads BOOLEAN NOT NULL,
    run_ids UUID[] NOT NULL,
    content BYTEA,
    created_by_kind TEXT NOT NULL,
    created_by_id TEXT,
    created_by_name TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_exports PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_exports_kind CHECK (kind IN ('RUN', 'INCIDENT', 'PERIOD')),
    CONSTRAINT ck_exports_format CHECK (format IN ('JSON', 'HTML', 'LOG')),
    CONSTRAINT ck_exports_created_by_kind CHECK (created_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT')),
    CONSTRAINT ck_exports_payloads CHECK (NOT payloads OR content IS NULL)
);

CREATE INDEX ix_exports_created ON exports (tenant_id, created_at, id);

ALTER TABLE exports ENABLE ROW LEVEL SECURITY;
ALTER TABLE exports FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON exports TO hoc_app
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT ON exports TO hoc_app;

ALTER TABLE audit_ledger DROP CONSTRAINT ck_audit_ledger_entity_type;
ALTER TABLE audit_ledger ADD CONSTRAINT ck_audit_ledger_entity_type CHECK (entity_type IN ('RUN', 'INGEST', 'SIGNAL', 'POLICY_RULE', 'LIMIT', 'MODEL_PRICE', 'API_KEY', 'TENANT', 'OPERATION', 'TRUSTED_DOCUMENT', 'LOG', 'EXPORT'));
