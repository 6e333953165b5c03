-- Tries to take the lock of a name for this session. Returns one row (is_ours): whether the session
-- now holds the lock. :kind is a value of `LockKind`.
select pg_try_advisory_lock(cast(:kind as integer), hashtext(cast(:name as text))) as is_ours
