-- To find a step by its place PostgreSQL held the index of spans for as good as the primary key where a tenant's share of
-- all rows made it expect one row a trace: it then went through the whole trace for every step, 1.4 s for a run of 5,000.
-- An index that begins with the trace is never expected to find fewer rows than there are in a trace.
ALTER TABLE trace_steps
    DROP CONSTRAINT uq_trace_steps_tenant_id_trace_id_span_id,
    ADD CONSTRAINT uq_trace_steps_trace_id_span_id_tenant_id UNIQUE (trace_id, span_id, tenant_id);
