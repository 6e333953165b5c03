-- Returns one row (has_listener): whether a session holds the lock of listeners. :kind is the value
-- `LISTENER` of `LockKind`.
select exists (
  select
  from pg_locks as l
  where
    l.locktype = 'advisory'
    and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid::bigint = cast(:kind as bigint)
) as has_listener
