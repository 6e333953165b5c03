-- Returns the work that waits for the next sync of a source, in one row. `listed_probe` is the
-- probe of the last listing. `is_locked` says whether a run or a command holds the source's lock.
-- `build_left` is the number of documents that the last run left out of a build. If the last run
-- did not complete all stages, `failed_at` is its start and `last_error` its error. `due_retries`
-- counts the retries that are due. `pending_documents` and `unfinished_removals` count what began
-- after :since, or at any time if :since is null.
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
  case when last.finished_at is null then last.error end as last_error,
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
    ) as due_retries,
    count(*) filter (
      where
        d.state = 'pending'
        and (cast(:since as timestamptz) is null or d.noticed_at > cast(:since as timestamptz))
    ) as pending_documents,
    count(*) filter (
      where
        d.state = 'missing'
        and (cast(:since as timestamptz) is null or d.missing_since > cast(:since as timestamptz))
    ) as unfinished_removals
  from ragline.documents as d
  where d.source_id = source.id and d.state <> 'ready'
) as work
