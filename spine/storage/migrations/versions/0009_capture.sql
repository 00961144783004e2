CREATE TABLE environment_evidence (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    evidence_index INTEGER NOT NULL,
    id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    attributes TEXT NOT NULL,
    captured_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_hash BYTEA NOT NULL,
    CONSTRAINT pk_environment_evidence PRIMARY KEY (tenant_id, run_id, evidence_index)
);

CREATE TABLE capture_failures (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    run_id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    evidence_class TEXT NOT NULL,
    reason TEXT NOT NULL,
    resolution TEXT NOT NULL,
    message TEXT NOT NULL,
    span_ids TEXT[] NOT NULL,
    request_id TEXT NOT NULL,
    failed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_capture_failures PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_capture_failures_evidence_class CHECK (evidence_class IN ('ENVIRONMENT', 'ACTIVITY', 'PROVIDER', 'POLICY', 'INTEGRITY')),
    CONSTRAINT ck_capture_failures_reason CHECK (reason IN ('CAPTURE_FAILED', 'CONTEXT_INVALID', 'DATABASE_ERROR')),
    CONSTRAINT ck_capture_failures_resolution CHECK (resolution IN ('TRANSIENT', 'PERMANENT', 'SUPERSEDED'))
);

CREATE INDEX ix_capture_failures_run ON capture_failures (tenant_id, run_id, failed_at);

CREATE TABLE access_records (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    batch_id UUID NOT NULL,
    request_id TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT,
    key_id TEXT NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    operations TEXT NOT NULL,
    run_count INTEGER NOT NULL,
    run_keys BYTEA NOT NULL,
    payloads BOOLEAN NOT NULL,
    CONSTRAINT pk_access_records PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_access_records_actor_kind CHECK (actor_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE TABLE access_batches (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    record_count INTEGER NOT NULL,
    first_id UUID NOT NULL,
    last_id UUID NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    batch_hash BYTEA NOT NULL,
    CONSTRAINT pk_access_batches PRIMARY KEY (tenant_id, id)
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['environment_evidence', 'capture_failures', 'access_records', 'access_batches'] LOOP
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

-- A batch of the access log is a leaf of the tenant's log.
ALTER TABLE log_pending DROP CONSTRAINT ck_log_pending_kind;
ALTER TABLE log_pending ADD CONSTRAINT ck_log_pending_kind CHECK (kind IN ('SEAL', 'AUDIT', 'ACCESS'));
ALTER TABLE log_leaves DROP CONSTRAINT ck_log_leaves_kind;
ALTER TABLE log_leaves ADD CONSTRAINT ck_log_leaves_kind CHECK (kind IN ('SEAL', 'AUDIT', 'ACCESS'));
