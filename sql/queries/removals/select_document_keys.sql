-- Returns the keys of all documents of a source, in order.
select id
from ragline.documents
where source_id = cast(:source_id as bigint)
order by id
