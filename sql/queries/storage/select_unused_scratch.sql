-- Returns the names of the scratch databases that no process uses and that the user may drop, in
-- order of name. A scratch database belongs to the database whose id its name contains. Returned are
-- those of the database of the session, and those of databases that are gone.
select d.datname as name
from pg_database as d
where
  d.datname ~ '^ragline_scratch_[0-9]+_[0-9a-f]+$'
  and pg_has_role(d.datdba, 'usage')
  and not exists (
    select
    from pg_stat_activity as a
    where a.datid = d.oid
  )
  and not exists (
    select
    from pg_database as other
    where
      other.oid::text = split_part(d.datname, '_', 3)
      and other.datname <> current_database()
  )
order by d.datname
