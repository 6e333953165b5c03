-- The keys and ids of a source's documents whose removal is held, in order of document id.
select id, document_id, held_since
from ragline.documents
where source_id = cast(:source_id as bigint) and held_since is not null
order by document_id
for no key update
