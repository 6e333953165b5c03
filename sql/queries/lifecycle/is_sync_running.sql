-- Returns one row (is_running): whether a run has locked a source of a collection.
select exists (
  select
  from ragline.sources as s
  join pg_locks as l
    on l.objid::bigint = (hashtext(s.name)::bigint & 4294967295)
  where
    s.collection_id = cast(:collection_id as bigint)
    and l.locktype = 'advisory'
    and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = 7267003
) as is_running
