-- One row: build_left, the readable documents of a source that a generation lacks.
select count(*) as build_left
from ragline.documents as d
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
left join ragline.chunkings as k on k.id = p.chunking_id
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and (d.state <> 'failed' or d.error_name is distinct from 'ChunkingError')
  and d.parse_id is not null
  and (p.document_key is null or k.parse_id <> d.parse_id)
