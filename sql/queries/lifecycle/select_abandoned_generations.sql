-- Returns the ids of a collection's abandoned generations whose tables are not dropped yet, oldest
-- first.
select g.id
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
where c.name = cast(:collection as text) and g.state = 'abandoned'
order by g.id
