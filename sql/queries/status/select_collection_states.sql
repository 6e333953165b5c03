-- One row for each collection, by name: its live generation, the number of building, candidate and
-- retired generations, and why the configured generation could not be built. The columns drop_… have
-- the promoted generation whose online figures are worse than before, while it is live, or after the
-- watch has rolled it back.
select
  c.name as collection,
  g.id as generation,
  e.model as embedding_model,
  g.entry_count as entries,
  g.promoted_at,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id
  ) as documents,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'building'
  ) as building,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'retired'
  ) as retired,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'candidate'
  ) as candidates,
  c.build_error_name,
  c.build_error,
  c.build_error_since,
  w.generation_id as drop_generation,
  w.breached_at as drop_since,
  w.reason as drop_reason,
  w.is_rolled_back as drop_is_rolled_back,
  w.rollback_error as drop_rollback_error
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
left join lateral (
  select
    v.generation_id,
    v.breached_at,
    v.reason,
    v.rollback_error,
    other.id <> c.live_generation_id as is_rolled_back
  from ragline.promotion_watches as v
  join ragline.generations as other on other.id = v.generation_id
  where
    other.collection_id = c.id
    and v.breached_at is not null
    and (
      other.id = c.live_generation_id
      or (
        other.state = 'retired'
        and other.held_at is not null
        and exists (
          select
          from ragline.generation_events as e
          where
            e.generation_id = other.id
            and e.to_state = 'retired'
            and e.changed_by = 'watch'
            and e.changed_at >= other.held_at
        )
      )
    )
  order by other.id = c.live_generation_id desc, v.breached_at desc
  limit 1
) as w on true
order by c.name
