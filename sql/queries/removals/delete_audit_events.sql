-- Deletes what callers did longer than :seconds ago.
delete from ragline.audit_events
where happened_at < now() - make_interval(secs => cast(:seconds as double precision))
