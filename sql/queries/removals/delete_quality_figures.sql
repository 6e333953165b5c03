-- Deletes daily figures that were measured at least :seconds ago. The row count is their number.
delete from ragline.quality_figures
where measured_at <= now() - make_interval(secs => cast(:seconds as double precision))
