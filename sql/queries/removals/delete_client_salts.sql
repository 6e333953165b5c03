-- Deletes the salts of days that ended more than :seconds ago. The row count is their number.
delete from ragline.client_salts
where day + 1 <= now() - make_interval(secs => cast(:seconds as double precision))
