-- Returns a source by its name: (id, collection_id, collection). Returns no row if it does not
-- exist.
select s.id, s.collection_id, c.name as collection
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
where s.name = cast(:source as text)
