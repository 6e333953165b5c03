-- Deletes daily figures measured more than :seconds ago; the row count is their number.
delete from ragline.quality_figures
where measured_at <= now() - make_interval(secs => cast(:seconds as double precision))
