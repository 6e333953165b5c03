-- The name of the session that holds the lock of a collection's build; no row when it is free.
select a.application_name
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid
where
  l.locktype = 'advisory'
  and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and l.classid = 7267004
  and l.objid::bigint = (hashtext(cast(:collection as text))::bigint & 4294967295)
limit 1
