-- Returns the attributes that each document of a source states itself: (id, document_id,
-- own_metadata, own_principals, attributes_hash), in order of id.
select id, document_id, own_metadata, own_principals, attributes_hash
from ragline.documents
where
  source_id = cast(:source_id as bigint)
  and state not in ('missing', 'removed')
  and parse_id is not null
order by id
