-- Deletes the watches of generations whose last look is older than :seconds. The row count is their
-- number.
delete from ragline.promotion_watches
where checked_at <= now() - make_interval(secs => cast(:seconds as double precision))
