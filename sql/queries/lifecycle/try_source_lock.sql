-- Tries to take the lock of a source for this session. Returns one row (is_ours): whether the
-- session now holds the lock.
select pg_try_advisory_lock(7267003, hashtext(cast(:source as text))) as is_ours
