-- Returns the collection that stores a source, and its tenant. Returns no row if the source was
-- never synced.
select c.name, c.tenant
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
where s.name = cast(:source as text)
