-- One row: is_ours, whether this session now holds the lock of a source.
select pg_try_advisory_lock(7267003, hashtext(cast(:source as text))) as is_ours
