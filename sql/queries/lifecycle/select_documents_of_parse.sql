-- Returns the documents that have a parse: (id, document_id, attempts), in order of id. They are
-- locked until the end of the transaction.
select id, document_id, attempts
from ragline.documents
where parse_id = cast(:parse_id as bigint) and state not in ('missing', 'removed')
order by id
for no key update
