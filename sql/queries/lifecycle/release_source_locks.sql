-- Releases all source locks of this session at once. One row.
select pg_advisory_unlock_all()
