-- Deletes shadow reads older than :seconds. The row count is their number.
delete from ragline.shadow_reads
where read_at <= now() - make_interval(secs => cast(:seconds as double precision))
