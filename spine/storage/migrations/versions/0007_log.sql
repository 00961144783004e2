CREATE TABLE log_pending (
    tenant_id UUID NOT NULL,
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    subject UUID NOT NULL,
    version INTEGER NOT NULL,
    leaf_hash BYTEA NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_pending PRIMARY KEY (tenant_id, id),
    CONSTRAINT ck_log_pending_kind CHECK (kind IN ('SEAL', 'AUDIT'))
);

CREATE TABLE log_leaves (
    tenant_id UUID NOT NULL,
    leaf_index BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject UUID NOT NULL,
    version INTEGER NOT NULL,
    leaf_hash BYTEA NOT NULL,
    integrated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_leaves PRIMARY KEY (tenant_id, leaf_index),
    CONSTRAINT ck_log_leaves_kind CHECK (kind IN ('SEAL', 'AUDIT')),
    CONSTRAINT uq_log_leaves_tenant_id_kind_subject_version UNIQUE (tenant_id, kind, subject, version)
);

CREATE TABLE log_nodes (
    tenant_id UUID NOT NULL,
    level INTEGER NOT NULL,
    node_index BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    CONSTRAINT pk_log_nodes PRIMARY KEY (tenant_id, level, node_index)
);

CREATE TABLE log_heads (
    tenant_id UUID NOT NULL,
    epoch INTEGER NOT NULL,
    tree_size BIGINT NOT NULL,
    signed_size BIGINT NOT NULL,
    peaks BYTEA NOT NULL,
    CONSTRAINT pk_log_heads PRIMARY KEY (tenant_id)
);

CREATE INDEX ix_log_heads_unsigned ON log_heads (tenant_id) WHERE signed_size < tree_size;

CREATE TABLE log_checkpoints (
    tenant_id UUID NOT NULL,
    tree_size BIGINT NOT NULL,
    epoch INTEGER NOT NULL,
    root_hash BYTEA NOT NULL,
    note TEXT NOT NULL,
    vkey TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_log_checkpoints PRIMARY KEY (tenant_id, tree_size)
);

-- What was sealed and audited before there was a log: its leaves wait like any others, in the order of their times.
-- The hashes are those of `spine/services/proof/leaves.py`, to which a test holds them. The tables' owner sees no row
-- of a tenant while row security is forced on it, so for the length of this it is not.
CREATE FUNCTION pg_temp.leaf(kind text, subject uuid, version integer, content bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256('\x00'::bytea || convert_to(
        E'hoc-spine/leaf/v1\n{"hash":"' || encode(content, 'hex') || '","id":"' || subject || '","kind":"' || kind
        || '","version":' || version || '}', 'UTF8'))
$$;
CREATE FUNCTION pg_temp.json(value text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(to_json(value)::text, 'null') $$;
CREATE FUNCTION pg_temp.micros(moment timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT (extract(epoch FROM moment) * 1000000)::bigint::text $$;
CREATE FUNCTION pg_temp.uuid7(moment timestamptz) RETURNS uuid
LANGUAGE sql VOLATILE AS $$
    SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
        || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;

ALTER TABLE seals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_ledger NO FORCE ROW LEVEL SECURITY;

INSERT INTO log_pending (tenant_id, id, kind, subject, version, leaf_hash, queued_at)
SELECT tenant_id, pg_temp.uuid7(sealed_at), 'SEAL', run_id, version,
    pg_temp.leaf('SEAL', run_id, version, seal_hash), sealed_at
FROM seals;

INSERT INTO log_pending (tenant_id, id, kind, subject, version, leaf_hash, queued_at)
SELECT tenant_id, id, 'AUDIT', id, 1, pg_temp.leaf('AUDIT', id, 1, sha256(convert_to(
    E'hoc-spine/ledger/v1\n{"actor_id":' || pg_temp.json(actor_id)
    || ',"actor_kind":' || pg_temp.json(actor_kind)
    || ',"actor_name":' || pg_temp.json(actor_name)
    || ',"after_state":' || pg_temp.json(after_state)
    || ',"before_state":' || pg_temp.json(before_state)
    || ',"created_at":' || pg_temp.json(pg_temp.micros(created_at))
    || ',"entity_id":' || pg_temp.json(entity_id)
    || ',"entity_type":' || pg_temp.json(entity_type)
    || ',"event_type":' || pg_temp.json(event_type)
    || ',"id":' || pg_temp.json(id::text)
    || ',"operation":' || pg_temp.json(operation)
    || ',"reason":' || pg_temp.json(reason)
    || ',"request_id":' || pg_temp.json(request_id) || '}', 'UTF8'))), created_at
FROM audit_ledger;

ALTER TABLE seals FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_ledger FORCE ROW LEVEL SECURITY;
DROP FUNCTION pg_temp.leaf, pg_temp.json, pg_temp.micros, pg_temp.uuid7;

DO $$
DECLARE tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['log_pending', 'log_leaves', 'log_nodes', 'log_heads', 'log_checkpoints'] LOOP
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

-- Leaves, nodes and checkpoints only grow; the head moves, and what has its index waits no more.
GRANT UPDATE ON log_heads TO hoc_app;
GRANT DELETE ON log_pending TO hoc_app;

-- Which tenants have leaves that wait for an index or a signature: asked after a start, when nobody has told yet.
CREATE POLICY keyfinder ON log_pending FOR SELECT TO hoc_keyfinder USING (true);
CREATE POLICY keyfinder ON log_heads FOR SELECT TO hoc_keyfinder USING (true);
GRANT SELECT (tenant_id) ON log_pending TO hoc_keyfinder;
GRANT SELECT (tenant_id, tree_size, signed_size) ON log_heads TO hoc_keyfinder;
GRANT CREATE ON SCHEMA app TO hoc_keyfinder;

CREATE FUNCTION app.tenants_waiting() RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE waiting AS (
        (SELECT p.tenant_id FROM public.log_pending p ORDER BY p.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT p.tenant_id FROM public.log_pending p WHERE p.tenant_id > w.tenant_id
                ORDER BY p.tenant_id LIMIT 1)
        FROM waiting w WHERE w.tenant_id IS NOT NULL
    )
    SELECT w.tenant_id FROM waiting w WHERE w.tenant_id IS NOT NULL
    UNION SELECT h.tenant_id FROM public.log_heads h WHERE h.signed_size < h.tree_size
$$;
REVOKE ALL ON FUNCTION app.tenants_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.tenants_waiting() TO hoc_app;
ALTER FUNCTION app.tenants_waiting() OWNER TO hoc_keyfinder;
REVOKE CREATE ON SCHEMA app FROM hoc_keyfinder;

ALTER TABLE audit_ledger DROP CONSTRAINT ck_audit_ledger_entity_type;
ALTER TABLE audit_ledger ADD CONSTRAINT ck_audit_ledger_entity_type CHECK (entity_type IN ('RUN', 'INGEST', 'SIGNAL', 'POLICY_RULE', 'LIMIT', 'MODEL_PRICE', 'API_KEY', 'TENANT', 'OPERATION', 'TRUSTED_DOCUMENT', 'LOG'));
