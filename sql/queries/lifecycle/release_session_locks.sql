-- Releases all locks of this session at once. Returns one row.
select pg_advisory_unlock_all()
