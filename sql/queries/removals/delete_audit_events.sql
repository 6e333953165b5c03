-- Deletes audit events older than :seconds. The row count is their number.
delete from ragline.audit_events
where happened_at < now() - make_interval(secs => cast(:seconds as double precision))
