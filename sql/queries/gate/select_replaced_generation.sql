-- The generation that :generation_id replaced when it became live: at its forced promotion or, without
-- one, at its last promotion. A promotion changes the states of both generations in one statement, so
-- their rows of the trail have almost the same time. One row or none.
select r.generation_id
from (
  select e.changed_at, g.collection_id
  from ragline.generation_events as e
  join ragline.generations as g on g.id = e.generation_id
  where e.generation_id = cast(:generation_id as bigint) and e.to_state = 'live'
  order by e.is_forced desc, e.id desc
  limit 1
) as promoted
join ragline.generations as g on g.collection_id = promoted.collection_id
join ragline.generation_events as r on r.generation_id = g.id
where
  r.from_state = 'live'
  and r.to_state = 'retired'
  and g.id <> cast(:generation_id as bigint)
order by abs(extract(epoch from r.changed_at - promoted.changed_at)), r.id desc
limit 1
