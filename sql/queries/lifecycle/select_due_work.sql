-- One row: what waits for the next run of a source: listed_probe, is_locked (a run of any kind
-- has it now), and, since a moment, counts of
-- retries that are due, documents to place anew, and removals under way.
select
  (select s.listed_probe from ragline.sources as s where s.name = cast(:source as text))
    as listed_probe,
  exists (
    select
    from pg_locks as l
    where
      l.locktype = 'advisory'
      and l.granted
      and l.database = (select oid from pg_database where datname = current_database())
      and l.classid = 7267003
      and l.objid::bigint = (hashtext(cast(:source as text))::bigint & 4294967295)
  ) as is_locked,
  count(*) filter (
    where d.state in ('failed', 'unsupported') and d.next_attempt_at <= now()
  ) as retries,
  count(*) filter (
    where
      d.state = 'pending'
      and (
        cast(:since as timestamptz) is null or d.noticed_at > cast(:since as timestamptz)
      )
  ) as reopened,
  count(*) filter (
    where
      d.state = 'missing'
      and (
        cast(:since as timestamptz) is null or d.missing_since > cast(:since as timestamptz)
      )
  ) as leaving
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
where s.name = cast(:source as text) and d.state <> 'ready'
