-- Deletes clock readings older than :seconds. The row count is their number.
delete from ragline.clock_readings
where stopped_at <= now() - make_interval(secs => cast(:seconds as double precision))
