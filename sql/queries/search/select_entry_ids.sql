-- Returns the ids of the entries of a document, in any order.
select e.id
from ragline.entries_generation as e
where e.document_key = cast(:document_key as bigint)
