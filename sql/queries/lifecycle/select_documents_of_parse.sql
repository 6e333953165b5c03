-- The documents with a parse: (id, document_id, attempts), in order of id, locked until the commit.
select id, document_id, attempts
from ragline.documents
where parse_id = cast(:parse_id as bigint) and state not in ('missing', 'removed')
order by id
for no key update
