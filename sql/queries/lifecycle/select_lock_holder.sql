-- Returns the name of the session that holds the lock of a name, or no row if the lock is free.
-- :kind is a value of `LockKind`.
select a.application_name
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where
  l.locktype = 'advisory'
  and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid::bigint = cast(:kind as bigint)
  and l.objid::bigint = (hashtext(cast(:name as text))::bigint & 4294967295)
limit 1
