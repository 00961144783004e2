CREATE TABLE key_budgets (
    tenant_id UUID NOT NULL,
    key_id TEXT NOT NULL,
    points DOUBLE PRECISION NOT NULL,
    refilled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_key_budgets PRIMARY KEY (tenant_id, key_id)
);

ALTER TABLE key_budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE key_budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON key_budgets TO hoc_app
    USING (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')::uuid));
GRANT SELECT, INSERT, UPDATE ON key_budgets TO hoc_app;
