CREATE TABLE event_heads (
    tenant_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT pk_event_heads PRIMARY KEY (tenant_id)
);

CREATE TABLE events (
    tenant_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    topic TEXT NOT NULL,
    kind TEXT NOT NULL,
    key UUID NOT NULL,
    occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (tenant_id, seq),
    CONSTRAINT ck_events_topic CHECK (topic IN ('RUNS', 'SIGNALS', 'INCIDENTS', 'AUDIT')),
    CONSTRAINT ck_events_kind CHECK (kind IN ('ADDED', 'CHANGED', 'WITHDRAWN', 'RESTORED'))
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['event_heads', 'events'] LOOP
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

GRANT UPDATE ON event_heads TO hoc_app;

-- Events are hints that evidence has changed, not evidence: old ones are forgotten.
GRANT DELETE ON events TO hoc_app;
