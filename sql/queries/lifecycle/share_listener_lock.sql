-- Takes the lock of listeners for this session. Several sessions can hold it. :kind is the value
-- `LISTENER` of `LockKind`.
select pg_advisory_lock_shared(cast(:kind as integer), 0)
