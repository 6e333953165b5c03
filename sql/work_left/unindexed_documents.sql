-- Work left of a build: the readable documents d whose current text a generation does not contain.
-- A document that could not be chunked is not included.
from ragline.documents as d
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
left join ragline.chunkings as k on k.id = p.chunking_id
where
  d.state not in ('missing', 'removed')
  and (d.state <> 'failed' or d.error_name is distinct from 'ChunkingError')
  and d.parse_id is not null
  and (p.document_key is null or k.parse_id <> d.parse_id)
