-- One row: the work that waits for the next run of a source: listed_probe, is_locked (a run has
-- locked it), build_left (documents that the last run left of a build), failed_at and failure (start
-- and error of the last run, if it did not complete all its stages), and counts: retries that are
-- due, and since the time :since, documents that became pending and removals that started.
select
  source.listed_probe,
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
  last.build_left,
  case when last.finished_at is null then last.started_at end as failed_at,
  case when last.finished_at is null then last.error end as failure,
  work.*
from (select 1 as one) as always
left join ragline.sources as source on source.name = cast(:source as text)
left join lateral (
  select r.started_at, r.finished_at, r.error, r.build_left
  from ragline.source_syncs as r
  where r.source_id = source.id and coalesce(r.error, '') not like 'SyncInProgressError%'
  order by r.started_at desc
  limit 1
) as last on true
cross join lateral (
  select
    count(*) filter (
      where d.state in ('failed', 'unsupported') and d.next_attempt_at <= now()
    ) as retries,
    count(*) filter (
      where
        d.state = 'pending'
        and (cast(:since as timestamptz) is null or d.noticed_at > cast(:since as timestamptz))
    ) as reopened,
    count(*) filter (
      where
        d.state = 'missing'
        and (cast(:since as timestamptz) is null or d.missing_since > cast(:since as timestamptz))
    ) as leaving
  from ragline.documents as d
  where d.source_id = source.id and d.state <> 'ready'
) as work
