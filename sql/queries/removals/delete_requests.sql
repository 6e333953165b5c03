-- Deletes recorded searches older than :seconds with their feedback; the row count is their number.
delete from ragline.search_requests
where requested_at <= now() - make_interval(secs => cast(:seconds as double precision))
