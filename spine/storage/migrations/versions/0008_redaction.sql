-- What was recorded before has no salt: its digests are plain, and say so.
ALTER TABLE trace_steps ADD COLUMN salted BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE trace_steps ALTER COLUMN salted DROP DEFAULT;

ALTER TABLE step_payloads ALTER COLUMN attributes DROP NOT NULL;
ALTER TABLE step_payloads ADD COLUMN salt BYTEA;
ALTER TABLE step_payloads ADD COLUMN redacted_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE span_refusals ADD COLUMN redacted_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE runs ALTER COLUMN attributes DROP NOT NULL;
ALTER TABLE runs ADD COLUMN salt BYTEA;
ALTER TABLE runs ADD COLUMN attributes_digest TEXT;
ALTER TABLE runs ADD COLUMN redacted_at TIMESTAMP WITH TIME ZONE;

-- Payloads and refused spans change once, and only by being erased; the keys that they stand under cannot be updated.
GRANT UPDATE (input, output, attributes, salt, redacted_at) ON step_payloads TO hoc_app;
GRANT UPDATE (body, span_digest, redacted_at) ON span_refusals TO hoc_app;

CREATE FUNCTION app.payload_is_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.redacted_at IS NULL AND NEW.redacted_at IS NOT NULL
        AND NEW.input IS NULL AND NEW.output IS NULL AND NEW.attributes IS NULL AND NEW.salt IS NULL
        AND (NEW.tenant_id, NEW.trace_id, NEW.step_index) = (OLD.tenant_id, OLD.trace_id, OLD.step_index)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a payload is erased whole and once, and changes in no other way' USING ERRCODE = '42501';
END $$;

CREATE FUNCTION app.refusal_is_erased() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.redacted_at IS NULL AND NEW.redacted_at IS NOT NULL AND NEW.body IS NULL AND NEW.span_digest IS NULL
        AND (NEW.tenant_id, NEW.id, NEW.trace_id, NEW.span_id, NEW.kind, NEW.reason, NEW.refused_at)
            IS NOT DISTINCT FROM
            (OLD.tenant_id, OLD.id, OLD.trace_id, OLD.span_id, OLD.kind, OLD.reason, OLD.refused_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a refused span is erased whole and once, and changes in no other way' USING ERRCODE = '42501';
END $$;

REVOKE ALL ON FUNCTION app.payload_is_erased(), app.refusal_is_erased() FROM PUBLIC;

CREATE TRIGGER erased BEFORE UPDATE ON step_payloads FOR EACH ROW EXECUTE FUNCTION app.payload_is_erased();
CREATE TRIGGER erased BEFORE UPDATE ON span_refusals FOR EACH ROW EXECUTE FUNCTION app.refusal_is_erased();
