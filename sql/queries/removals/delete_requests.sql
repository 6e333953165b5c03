-- Deletes recorded searches older than :seconds, with their feedback. The row count is the number
-- of searches.
delete from ragline.search_requests
where requested_at <= now() - make_interval(secs => cast(:seconds as double precision))
