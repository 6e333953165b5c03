-- Returns one row: the live generation of a collection, its last promotion, and what the last look
-- stored. `is_return` says that the generation was live before. Returns no row without a live
-- generation.
select
  g.id as generation_id,
  coalesce(e.changed_at, g.promoted_at) as promoted_at,
  coalesce(e.from_state = 'retired', false) as is_return,
  coalesce(w.watched_from, e.changed_at, g.promoted_at) as watched_from,
  w.breached_at,
  coalesce(w.breached_figures, '{}') as breached_figures,
  w.reason,
  w.rollback_error
from ragline.collections as c
join ragline.generations as g on g.id = c.live_generation_id
left join lateral (
  select v.changed_at, v.from_state
  from ragline.generation_events as v
  where v.generation_id = g.id and v.to_state = 'live'
  order by v.id desc
  limit 1
) as e on true
left join ragline.promotion_watches as w on w.generation_id = g.id
where c.name = cast(:collection as text)
