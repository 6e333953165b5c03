-- Returns the documents of a source whose removal is held: (id, document_id, held_since), in order
-- of document id. They are locked until the end of the transaction.
select id, document_id, held_since
from ragline.documents
where source_id = cast(:source_id as bigint) and held_since is not null
order by document_id
for no key update
