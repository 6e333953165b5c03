-- Returns one row for each source, by name. A row has the source's limits and its counts by state.
-- It has the oldest change that is not visible, the oldest removal that is not forgotten, and the
-- held removals. It also has the last sync, and the syncs that failed since the last successful
-- one. The documents of the first listing are not changes, and documents with an error of :refusals
-- are not late. A sync does not count as failed while it runs, or if it ended because another sync
-- was running.
select
  s.name as source,
  s.id as source_id,
  c.name as collection,
  s.kind,
  s.visible_within,
  s.forgotten_within,
  s.created_at,
  s.listed_at,
  s.proven_at,
  s.unreachable_since,
  s.unreachable_error,
  counts.*,
  last.run_id as last_run_id,
  last.started_at as last_started_at,
  last.finished_at as last_finished_at,
  last.error as last_error,
  coalesce(lock.is_held, false) as is_syncing,
  failing.*
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
cross join lateral (
  select
    count(*) filter (where d.state = 'pending') as pending,
    count(*) filter (where d.state = 'ready') as ready,
    count(*) filter (where d.state = 'failed') as failed,
    count(*) filter (where d.state = 'quarantined') as quarantined,
    count(*) filter (where d.state = 'unsupported') as unsupported,
    count(*) filter (where d.state = 'missing') as missing,
    count(*) filter (where d.state = 'removed') as removed,
    count(*) filter (where d.held_since is not null) as held,
    min(d.held_since) as held_since,
    coalesce(sum(placed.entry_count), 0)::bigint as entries,
    min(coalesce(d.clock_started_at, d.noticed_at)) filter (
      where
        d.state in ('pending', 'failed')
        and not (d.state = 'failed' and d.error_name = any(cast(:refusals as text[])))
        and (
          d.clock_started_at is not null
          or d.visible_at is not null
          or d.noticed_at > coalesce(s.first_listed_at, '-infinity')
        )
    ) as waiting_since,
    min(coalesce(d.clock_started_at, d.missing_since)) filter (where d.state = 'missing')
      as missing_since
  from ragline.documents as d
  left join ragline.placements as placed
    on placed.document_key = d.id and placed.generation_id = c.live_generation_id
  where d.source_id = s.id
) as counts
left join lateral (
  select r.run_id, r.started_at, r.finished_at, r.error
  from ragline.source_syncs as r
  where r.source_id = s.id
  order by r.started_at desc
  limit 1
) as last on true
left join lateral (
  select true as is_held
  from pg_locks as l
  where
    l.locktype = 'advisory'
    and l.granted
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = 7267003
    and l.objid::bigint = (hashtext(s.name)::bigint & 4294967295)
  limit 1
) as lock on true
cross join lateral (
  select
    count(*) as failures,
    min(r.started_at) as failing_since,
    (array_agg(r.error order by r.started_at desc) filter (where r.error is not null))[1]
      as failing_error
  from ragline.source_syncs as r
  where
    r.source_id = s.id
    and r.finished_at is null
    and r.started_at > coalesce(
      (
        select max(f.started_at)
        from ragline.source_syncs as f
        where f.source_id = s.id and f.finished_at is not null
      ),
      '-infinity'
    )
    and coalesce(r.error, '') not like 'SyncInProgressError%'
    and not (lock.is_held is true and r.error is null and r.run_id = last.run_id)
) as failing
order by s.name
