CREATE TABLE log_cosignatures (
    tenant_id UUID NOT NULL,
    tree_size BIGINT NOT NULL,
    witness TEXT NOT NULL,
    line TEXT NOT NULL,
    cosigned_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_cosignatures PRIMARY KEY (tenant_id, tree_size, witness)
);

CREATE INDEX ix_log_cosignatures_witness ON log_cosignatures (tenant_id, witness, tree_size);

CREATE TABLE log_timestamps (
    tenant_id UUID NOT NULL,
    tree_size BIGINT NOT NULL,
    token BYTEA NOT NULL,
    stamped_at TIMESTAMP WITH TIME ZONE NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_timestamps PRIMARY KEY (tenant_id, tree_size)
);

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['log_cosignatures', 'log_timestamps'] LOOP
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

-- Which tenants' newest checkpoints a witness has not cosigned, or nobody has stamped for some time.
CREATE POLICY keyfinder ON log_cosignatures FOR SELECT TO hoc_keyfinder USING (true);
CREATE POLICY keyfinder ON log_timestamps FOR SELECT TO hoc_keyfinder USING (true);
GRANT SELECT (tenant_id, tree_size, witness) ON log_cosignatures TO hoc_keyfinder;
GRANT SELECT (tenant_id, tree_size, received_at) ON log_timestamps TO hoc_keyfinder;
GRANT CREATE ON SCHEMA app TO hoc_keyfinder;

CREATE FUNCTION app.tenants_unwitnessed(witness text) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.tenant_id FROM public.log_heads h
    WHERE h.signed_size > 0 AND NOT EXISTS (
        SELECT 1 FROM public.log_cosignatures c
        WHERE c.tenant_id = h.tenant_id AND c.tree_size = h.signed_size AND c.witness = $1
    )
$$;

CREATE FUNCTION app.tenants_unstamped(before timestamptz) RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT h.tenant_id FROM public.log_heads h
    LEFT JOIN LATERAL (
        SELECT t.tree_size, t.received_at FROM public.log_timestamps t
        WHERE t.tenant_id = h.tenant_id ORDER BY t.tree_size DESC LIMIT 1
    ) last ON true
    WHERE h.signed_size > 0
        AND (last.tree_size IS NULL OR (last.tree_size <> h.signed_size AND last.received_at < $1))
$$;

REVOKE ALL ON FUNCTION app.tenants_unwitnessed(text), app.tenants_unstamped(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_unwitnessed(text), app.tenants_unstamped(timestamptz) TO hoc_app;
ALTER FUNCTION app.tenants_unwitnessed(text) OWNER TO hoc_keyfinder;
ALTER FUNCTION app.tenants_unstamped(timestamptz) OWNER TO hoc_keyfinder;
REVOKE CREATE ON SCHEMA app FROM hoc_keyfinder;
