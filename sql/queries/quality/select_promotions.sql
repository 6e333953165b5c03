-- Returns each time at which a generation of a collection became live, with the id of the
-- generation, oldest first.
select
  e.generation_id,
  e.changed_at
from ragline.generation_events as e
join ragline.generations as g on g.id = e.generation_id
join ragline.collections as c on c.id = g.collection_id
where c.name = cast(:collection as text) and e.to_state = 'live'
order by e.id
