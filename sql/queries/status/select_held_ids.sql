-- Returns the first :limit documents of a source whose removal is held, in order of id.
select document_id
from ragline.documents
where source_id = cast(:source_id as bigint) and held_since is not null
order by document_id
limit cast(:limit as integer)
