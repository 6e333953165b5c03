-- Returns the ids of all documents of a source, in order.
select document_id
from ragline.documents
where source_id = cast(:source_id as bigint)
order by document_id
