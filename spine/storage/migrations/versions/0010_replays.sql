-- Reservations of executions, and replays with their mismatches. Evaluations from now on name the engine that made them.
CREATE TABLE reservations (
    tenant_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_digest BYTEA NOT NULL,
    run_id UUID NOT NULL,
    state TEXT NOT NULL,
    holder UUID NOT NULL,
    attempt INTEGER NOT NULL,
    reserved_until TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    output BYTEA,
    error TEXT,
    CONSTRAINT pk_reservations PRIMARY KEY (tenant_id, key),
    CONSTRAINT ck_reservations_state CHECK (state IN ('RESERVED', 'SUCCEEDED', 'FAILED'))
);

CREATE INDEX ix_reservations_run ON reservations (tenant_id, run_id);

CREATE TABLE replays (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    run_id UUID NOT NULL,
    behavior TEXT NOT NULL,
    verdict TEXT NOT NULL,
    step_count INTEGER NOT NULL,
    matched_step_count INTEGER NOT NULL,
    executed_step_count INTEGER NOT NULL,
    played_back_step_count INTEGER NOT NULL,
    unchecked_step_count INTEGER NOT NULL,
    decision_count INTEGER NOT NULL,
    matched_decision_count INTEGER NOT NULL,
    unchecked_decision_count INTEGER NOT NULL,
    mismatch_count INTEGER NOT NULL,
    created_by_kind TEXT NOT NULL,
    created_by_id TEXT,
    created_by_name TEXT,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_replays PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_replays_behavior CHECK (behavior IN ('EXECUTE', 'SKIP', 'CHECK')),
    CONSTRAINT ck_replays_verdict CHECK (verdict IN ('MATCHED', 'PARTIAL', 'DIVERGED')),
    CONSTRAINT ck_replays_created_by_kind CHECK (created_by_kind IN ('HUMAN', 'SYSTEM', 'SERVICE', 'AGENT'))
);

CREATE INDEX ix_replays_created ON replays (tenant_id, created_at, id);
CREATE INDEX ix_replays_run ON replays (tenant_id, run_id, created_at, id);

CREATE TABLE replay_mismatches (
    tenant_id UUID NOT NULL,
    replay_id UUID NOT NULL,
    place INTEGER NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    index INTEGER NOT NULL,
    is_step BOOLEAN NOT NULL,
    subject_name TEXT NOT NULL,
    expected TEXT NOT NULL,
    actual TEXT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_replay_mismatches PRIMARY KEY (tenant_id, replay_id, place),
    CONSTRAINT ck_replay_mismatches_kind CHECK (kind IN ('RECORD', 'OUTPUT', 'RULE', 'ENGINE', 'FACTS', 'OUTCOME'))
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['reservations', 'replays', 'replay_mismatches'] LOOP
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

-- What is reserved, by whom and for which request stays; only how it stands changes.
GRANT UPDATE (state, holder, attempt, reserved_until, output, error) ON reservations TO hoc_app;

-- NULL in evaluations of before: their hashes do not cover it, those of later ones do.
ALTER TABLE policy_evaluations ADD COLUMN engine TEXT;
