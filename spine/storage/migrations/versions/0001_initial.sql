-- The first schema: every table, its row-level security, and what the app role may do with it.
-- Written by hand and compared with the tables that the code declares by a test.

CREATE TABLE tenants (
    tenant_id UUID NOT NULL,
    slug TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (tenant_id)
);

CREATE TABLE api_keys (
    tenant_id UUID NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    secret_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    frozen_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    revoked_reason TEXT,
    CONSTRAINT pk_api_keys PRIMARY KEY (tenant_id, key_id),
    CONSTRAINT ck_api_keys_role CHECK (role IN ('VIEWER', 'MEMBER', 'ADMIN', 'OWNER', 'MACHINE')),
    CONSTRAINT ck_api_keys_actor_kind CHECK (actor_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE INDEX ix_api_keys_key_id ON api_keys (key_id);
CREATE TABLE runs (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    span_id TEXT NOT NULL,
    parent_span_id TEXT,
    parent_run_id UUID,
    named_after_root BOOLEAN NOT NULL,
    withdrawn BOOLEAN NOT NULL,
    agent_id TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    origin_system_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    conversation_id TEXT,
    source TEXT NOT NULL,
    is_synthetic BOOLEAN NOT NULL,
    provider TEXT,
    provider_type TEXT NOT NULL,
    model TEXT,
    goal TEXT,
    error_code TEXT,
    error_message TEXT,
    status TEXT NOT NULL,
    state TEXT NOT NULL,
    termination_reason TEXT,
    started_ns BIGINT NOT NULL,
    completed_ns BIGINT,
    last_seen_ns BIGINT NOT NULL,
    own_provider TEXT,
    own_model TEXT,
    own_input_tokens BIGINT,
    own_output_tokens BIGINT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    cost_micro_usd BIGINT,
    cost_status TEXT NOT NULL,
    step_count INTEGER NOT NULL,
    failed_step_count INTEGER NOT NULL,
    missing_span_count INTEGER NOT NULL,
    refused_span_count INTEGER NOT NULL,
    risk_level TEXT NOT NULL,
    policy_violation BOOLEAN NOT NULL,
    incident_count INTEGER NOT NULL,
    evidence_count INTEGER NOT NULL,
    evidence_head BYTEA NOT NULL,
    seal_version INTEGER NOT NULL,
    time_limit_ms BIGINT,
    policy_context BYTEA,
    attributes BYTEA NOT NULL,
    span_digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_runs PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_runs_actor_kind CHECK (actor_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT')),
    CONSTRAINT ck_runs_source CHECK (source IN ('AGENT', 'SDK')),
    CONSTRAINT ck_runs_provider_type CHECK (provider_type IN ('OPENAI', 'ANTHROPIC', 'INTERNAL', 'OTHER')),
    CONSTRAINT ck_runs_status CHECK (status IN ('RUNNING', 'SUCCEEDED', 'FAILED', 'FAILED_POLICY', 'CANCELLED')),
    CONSTRAINT ck_runs_state CHECK (state IN ('LIVE', 'COMPLETED')),
    CONSTRAINT ck_runs_termination_reason CHECK (termination_reason IN ('COMPLETED', 'POLICY_BLOCK', 'BUDGET_EXCEEDED', 'RATE_LIMITED', 'USER_ABORT', 'SYSTEM_FAILURE', 'TIMEOUT')),
    CONSTRAINT ck_runs_cost_status CHECK (cost_status IN ('COMPLETE', 'PARTIAL', 'UNKNOWN')),
    CONSTRAINT ck_runs_risk_level CHECK (risk_level IN ('NORMAL', 'NEAR_THRESHOLD', 'AT_RISK', 'VIOLATED')),
    CONSTRAINT uq_runs_tenant_id_trace_id_span_id UNIQUE (tenant_id, trace_id, span_id)
);

CREATE INDEX ix_runs_agent ON runs (tenant_id, agent_id, started_ns);
CREATE INDEX ix_runs_parent ON runs (tenant_id, parent_run_id);
CREATE INDEX ix_runs_started ON runs (tenant_id, started_ns, id);
CREATE INDEX ix_runs_withdrawn ON runs (tenant_id, id) WHERE withdrawn;
CREATE TABLE signals (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    run_id UUID NOT NULL,
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    severity TEXT NOT NULL,
    dimension TEXT NOT NULL,
    source TEXT NOT NULL,
    summary TEXT NOT NULL,
    policy_context BYTEA,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_signals PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_signals_type CHECK (type IN ('COST_RISK', 'TIME_RISK', 'TOKEN_RISK', 'RATE_RISK', 'POLICY_BREACH', 'EVIDENCE_DEGRADED', 'RELIABILITY', 'SECURITY', 'THRESHOLD_PROXIMITY')),
    CONSTRAINT ck_signals_severity CHECK (severity IN ('HIGH', 'MEDIUM', 'LOW')),
    CONSTRAINT uq_signals_tenant_id_fingerprint UNIQUE (tenant_id, fingerprint)
);

CREATE INDEX ix_signals_created ON signals (tenant_id, created_at, id);
CREATE INDEX ix_signals_run ON signals (tenant_id, run_id, created_at, id);
CREATE TABLE traces (
    tenant_id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    step_count INTEGER NOT NULL,
    head_hash BYTEA NOT NULL,
    refused_count INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_traces PRIMARY KEY (tenant_id, trace_id)
);

CREATE TABLE trace_steps (
    tenant_id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    step_index INTEGER NOT NULL,
    span_id TEXT NOT NULL,
    parent_span_id TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    skill_name TEXT NOT NULL,
    status TEXT NOT NULL,
    outcome_code TEXT,
    status_message TEXT,
    started_ns BIGINT NOT NULL,
    ended_ns BIGINT NOT NULL,
    provider TEXT,
    provider_type TEXT NOT NULL,
    model TEXT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    cost_micro_usd BIGINT,
    price_version TEXT,
    finish_reason TEXT,
    response_id TEXT,
    marked BOOLEAN NOT NULL,
    span_digest BYTEA NOT NULL,
    input_digest BYTEA,
    output_digest BYTEA,
    attributes_digest BYTEA NOT NULL,
    prev_hash BYTEA NOT NULL,
    step_hash BYTEA NOT NULL,
    CONSTRAINT pk_trace_steps PRIMARY KEY (tenant_id, trace_id, step_index),
    CONSTRAINT ck_trace_steps_kind CHECK (kind IN ('CHAT', 'EXECUTE_TOOL', 'EMBEDDINGS', 'RETRIEVAL', 'OTHER')),
    CONSTRAINT ck_trace_steps_status CHECK (status IN ('SUCCESS', 'FAILURE', 'RETRY', 'SKIPPED')),
    CONSTRAINT ck_trace_steps_provider_type CHECK (provider_type IN ('OPENAI', 'ANTHROPIC', 'INTERNAL', 'OTHER')),
    CONSTRAINT uq_trace_steps_tenant_id_trace_id_span_id UNIQUE (tenant_id, trace_id, span_id)
);

CREATE TABLE step_payloads (
    tenant_id UUID NOT NULL,
    trace_id TEXT NOT NULL,
    step_index INTEGER NOT NULL,
    input BYTEA,
    output BYTEA,
    attributes BYTEA NOT NULL,
    CONSTRAINT pk_step_payloads PRIMARY KEY (tenant_id, trace_id, step_index)
);

CREATE TABLE run_steps (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    position INTEGER NOT NULL,
    trace_id TEXT NOT NULL,
    step_index INTEGER NOT NULL,
    CONSTRAINT pk_run_steps PRIMARY KEY (tenant_id, run_id, position)
);

CREATE INDEX ix_run_steps_step ON run_steps (tenant_id, trace_id, step_index);
CREATE TABLE seals (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    version INTEGER NOT NULL,
    step_count INTEGER NOT NULL,
    step_hashes BYTEA NOT NULL,
    run_record BYTEA NOT NULL,
    evidence_count INTEGER NOT NULL,
    evidence_head BYTEA NOT NULL,
    prev_seal_hash BYTEA NOT NULL,
    seal_hash BYTEA NOT NULL,
    sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_seals PRIMARY KEY (tenant_id, run_id, version)
);

CREATE TABLE span_refusals (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    trace_id TEXT,
    span_id TEXT,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    span_digest BYTEA,
    body BYTEA,
    refused_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_span_refusals PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_span_refusals_kind CHECK (kind IN ('MALFORMED', 'DUPLICATE_DIFFERS'))
);

CREATE INDEX ix_span_refusals_trace ON span_refusals (tenant_id, trace_id, span_id);
CREATE TABLE audit_ledger (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    operation TEXT NOT NULL,
    event_type TEXT NOT NULL,
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT,
    reason TEXT,
    before_state TEXT,
    after_state TEXT,
    request_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_ledger PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_audit_ledger_entity_type CHECK (entity_type IN ('RUN', 'INGEST', 'SIGNAL', 'POLICY_RULE', 'LIMIT', 'MODEL_PRICE', 'API_KEY', 'TENANT', 'OPERATION')),
    CONSTRAINT ck_audit_ledger_actor_kind CHECK (actor_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE INDEX ix_audit_ledger_created ON audit_ledger (tenant_id, created_at, id);
CREATE INDEX ix_audit_ledger_entity ON audit_ledger (tenant_id, entity_type, entity_id, created_at, id);
CREATE TABLE policy_rules (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by_kind TEXT NOT NULL,
    created_by_id TEXT,
    created_by_name TEXT,
    retired_at TIMESTAMP WITH TIME ZONE,
    retirement_reason TEXT,
    superseded_by UUID,
    CONSTRAINT pk_policy_rules PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_policy_rules_status CHECK (status IN ('ACTIVE', 'RETIRED')),
    CONSTRAINT ck_policy_rules_created_by_kind CHECK (created_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT')),
    CONSTRAINT uq_policy_rules_tenant_id_name UNIQUE (tenant_id, name)
);

CREATE INDEX ix_policy_rules_created ON policy_rules (tenant_id, created_at, id);
CREATE TABLE policy_rule_versions (
    tenant_id UUID NOT NULL,
    rule_id UUID NOT NULL,
    version INTEGER NOT NULL,
    description TEXT NOT NULL,
    condition TEXT NOT NULL,
    phase TEXT NOT NULL,
    mode TEXT NOT NULL,
    consequence TEXT NOT NULL,
    scope TEXT NOT NULL,
    scope_id TEXT,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_policy_rule_versions PRIMARY KEY (tenant_id, rule_id, version),
    CONSTRAINT ck_policy_rule_versions_phase CHECK (phase IN ('RUN_START', 'STEP', 'RUN_END')),
    CONSTRAINT ck_policy_rule_versions_mode CHECK (mode IN ('BLOCK', 'WARN', 'AUDIT', 'DISABLED')),
    CONSTRAINT ck_policy_rule_versions_consequence CHECK (consequence IN ('ALERT', 'INCIDENT', 'ABORT')),
    CONSTRAINT ck_policy_rule_versions_scope CHECK (scope IN ('AGENT', 'PROJECT', 'TENANT', 'GLOBAL'))
);

CREATE TABLE policy_evaluations (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    evidence_index INTEGER NOT NULL,
    id UUID NOT NULL,
    rule_id UUID NOT NULL,
    rule_version INTEGER NOT NULL,
    rule_name TEXT NOT NULL,
    rule_digest BYTEA NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT NOT NULL,
    count BIGINT NOT NULL,
    step_index INTEGER,
    facts TEXT NOT NULL,
    reason TEXT NOT NULL,
    evaluated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_hash BYTEA NOT NULL,
    CONSTRAINT pk_policy_evaluations PRIMARY KEY (tenant_id, run_id, evidence_index),
    CONSTRAINT ck_policy_evaluations_phase CHECK (phase IN ('RUN_START', 'STEP', 'RUN_END')),
    CONSTRAINT ck_policy_evaluations_outcome CHECK (outcome IN ('ALLOW', 'AUDIT', 'WARN', 'BLOCK', 'ERROR'))
);

CREATE TABLE decisions (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    evidence_index INTEGER NOT NULL,
    id UUID NOT NULL,
    decision_type TEXT NOT NULL,
    outcome TEXT NOT NULL,
    subject_id UUID NOT NULL,
    subject_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_hash BYTEA NOT NULL,
    CONSTRAINT pk_decisions PRIMARY KEY (tenant_id, run_id, evidence_index),
    CONSTRAINT ck_decisions_decision_type CHECK (decision_type IN ('POLICY_EVALUATION', 'LIMIT_ENFORCEMENT')),
    CONSTRAINT ck_decisions_outcome CHECK (outcome IN ('WARNED', 'BLOCKED', 'STOPPED'))
);

CREATE TABLE limits (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    name TEXT NOT NULL,
    limit_type TEXT NOT NULL,
    scope TEXT NOT NULL,
    scope_id TEXT,
    max_value BIGINT NOT NULL CONSTRAINT ck_limits_max_value CHECK (max_value > 0),
    consequence TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by_kind TEXT NOT NULL,
    created_by_id TEXT,
    created_by_name TEXT,
    CONSTRAINT pk_limits PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_limits_limit_type CHECK (limit_type IN ('TIME_MS', 'TOKENS_TOTAL', 'COST_USD', 'FAILURES')),
    CONSTRAINT ck_limits_scope CHECK (scope IN ('AGENT', 'PROJECT', 'TENANT', 'GLOBAL')),
    CONSTRAINT ck_limits_consequence CHECK (consequence IN ('ALERT', 'INCIDENT', 'ABORT')),
    CONSTRAINT ck_limits_status CHECK (status IN ('ACTIVE', 'DISABLED')),
    CONSTRAINT ck_limits_created_by_kind CHECK (created_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE INDEX ix_limits_created ON limits (tenant_id, created_at, id);
CREATE TABLE limit_breaches (
    tenant_id UUID NOT NULL,
    run_id UUID NOT NULL,
    evidence_index INTEGER NOT NULL,
    id UUID NOT NULL,
    limit_id UUID NOT NULL,
    limit_name TEXT NOT NULL,
    limit_type TEXT NOT NULL,
    level TEXT NOT NULL,
    cleared BOOLEAN NOT NULL,
    breached_value BIGINT NOT NULL,
    threshold_value BIGINT NOT NULL,
    breached_at TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_hash BYTEA NOT NULL,
    CONSTRAINT pk_limit_breaches PRIMARY KEY (tenant_id, run_id, evidence_index),
    CONSTRAINT ck_limit_breaches_limit_type CHECK (limit_type IN ('TIME_MS', 'TOKENS_TOTAL', 'COST_USD', 'FAILURES')),
    CONSTRAINT ck_limit_breaches_level CHECK (level IN ('NEAR', 'BREACH'))
);

CREATE TABLE incidents (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    source_run_id UUID NOT NULL,
    dedupe_key TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    category TEXT NOT NULL,
    trigger_type TEXT NOT NULL,
    trigger_id UUID,
    trigger_name TEXT,
    error_code TEXT,
    error_message TEXT,
    withdrawn BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_incidents PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_incidents_severity CHECK (severity IN ('CRITICAL', 'HIGH', 'MEDIUM', 'LOW')),
    CONSTRAINT ck_incidents_category CHECK (category IN ('EXECUTION_FAILURE', 'POLICY_VIOLATION', 'BUDGET_EXCEEDED', 'RESOURCE_EXHAUSTION')),
    CONSTRAINT ck_incidents_trigger_type CHECK (trigger_type IN ('RUN_FAILURE', 'POLICY', 'LIMIT')),
    CONSTRAINT uq_incidents_tenant_id_source_run_id_dedupe_key UNIQUE (tenant_id, source_run_id, dedupe_key)
);

CREATE INDEX ix_incidents_created ON incidents (tenant_id, created_at, id);
CREATE TABLE model_prices (
    tenant_id UUID NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    input_micro_usd_per_million BIGINT NOT NULL,
    output_micro_usd_per_million BIGINT NOT NULL,
    source TEXT NOT NULL,
    effective_from DATE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    created_by_kind TEXT NOT NULL,
    created_by_id TEXT,
    created_by_name TEXT,
    CONSTRAINT pk_model_prices PRIMARY KEY (tenant_id, provider, model, version),
    CONSTRAINT ck_model_prices_created_by_kind CHECK (created_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE TABLE idempotency_keys (
    tenant_id UUID NOT NULL,
    operation TEXT NOT NULL,
    key TEXT NOT NULL,
    request_digest BYTEA NOT NULL,
    result BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (tenant_id, operation, key)
);


-- Tenancy: a row is visible and writable only in a transaction that is bound to its tenant. After a transaction the
-- setting is '' rather than NULL, hence nullif; the sub-select is evaluated once a statement and keeps index scans.
DO $$
DECLARE tenant_table text;
BEGIN
    FOR tenant_table IN
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    LOOP
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

-- Everything else is append-only for the app.
GRANT UPDATE ON runs, traces, policy_rules, limits, incidents, api_keys TO hoc_app;

-- Finding a key comes before its tenant is known: one function, owned by a role that can read four columns of one table.
CREATE POLICY keyfinder ON api_keys FOR SELECT TO hoc_keyfinder USING (true);
GRANT USAGE ON SCHEMA public TO hoc_app, hoc_keyfinder;
GRANT SELECT (tenant_id, key_id, secret_hash, expires_at, frozen_at, revoked_at) ON api_keys TO hoc_keyfinder;

CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO hoc_app;
GRANT USAGE, CREATE ON SCHEMA app TO hoc_keyfinder;

CREATE FUNCTION app.find_key(wanted text)
RETURNS TABLE (tenant_id uuid, secret_hash bytea, status text)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.tenant_id, k.secret_hash,
        CASE
            WHEN k.revoked_at IS NOT NULL THEN 'REVOKED'
            WHEN k.expires_at <= now() THEN 'EXPIRED'
            WHEN k.frozen_at IS NOT NULL THEN 'FROZEN'
            ELSE 'ACTIVE'
        END
    FROM public.api_keys k WHERE k.key_id = wanted
$$;
REVOKE ALL ON FUNCTION app.find_key(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.find_key(text) TO hoc_app;
ALTER FUNCTION app.find_key(text) OWNER TO hoc_keyfinder;
REVOKE CREATE ON SCHEMA app FROM hoc_keyfinder;

GRANT SELECT ON alembic_version TO hoc_app;
