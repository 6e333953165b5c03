-- One row a source: its clocks, counts by state, the oldest change not visible yet, the oldest
-- removal not forgotten yet, what is held, and its last sync.
select
  s.name as source,
  s.id as source_id,
  c.name as collection,
  s.kind,
  s.visible_within,
  s.forgotten_within,
  s.listed_at,
  s.proven_at,
  s.unreachable_since,
  s.unreachable_error,
  counts.*,
  last.run_id as last_run_id,
  last.started_at as last_started_at,
  last.finished_at as last_finished_at,
  last.error as last_error
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
    min(coalesce(d.clock_started_at, d.noticed_at)) filter (where d.state in ('pending', 'failed'))
      as waiting_since,
    least(
      min(coalesce(d.clock_started_at, d.missing_since)) filter (where d.state = 'missing'),
      min(d.held_since)
    ) as missing_since
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
order by s.name
