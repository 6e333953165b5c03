-- Returns the name of the session that holds the lock of a source, or no row if the lock is free.
select a.application_name
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where
  l.locktype = 'advisory'
  and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid = 7267003
  and l.objid::bigint = (hashtext(cast(:source as text))::bigint & 4294967295)
limit 1
