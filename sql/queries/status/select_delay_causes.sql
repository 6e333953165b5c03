-- Returns one row about a source whose changes are not searchable yet (has_live_generation,
-- failed_checks, unreachable_error, last_error): whether its collection has a live generation, the
-- blocking checks that failed, why the source is unreachable, and the error of its last sync. Returns
-- no row if the source was never synced.
select
  c.live_generation_id is not null as has_live_generation,
  s.failed_checks,
  s.unreachable_error,
  last.error as last_error
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
left join lateral (
  select r.error
  from ragline.source_syncs as r
  where r.source_id = s.id
  order by r.started_at desc
  limit 1
) as last on true
where s.name = cast(:source as text)
