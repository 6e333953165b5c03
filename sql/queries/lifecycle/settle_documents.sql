-- Makes ready the pending documents that the live generation holds as the ledger wants them.
-- The row count is how many.
update ragline.documents as d
set
  state = 'ready',
  visible_at = greatest(p.placed_at, g.promoted_at)
from ragline.placements as p
join ragline.generations as g on g.id = p.generation_id and g.state = 'live'
join ragline.chunkings as k on k.id = p.chunking_id
where
  d.source_id = cast(:source_id as bigint)
  and d.state = 'pending'
  and d.missing_since is null
  and d.read_version = d.version
  and p.document_key = d.id
  and p.content_hash = d.parsed_content_hash
  and k.parse_id = d.parse_id
