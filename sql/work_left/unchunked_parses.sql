-- Work left of the stage `chunk`: the parses p of a source's documents that this chunker has not
-- chunked, except :failed_parses. A document that could not be chunked waits for its next attempt,
-- so its parse is not included.
from ragline.parses as p
where
  exists (
    select
    from ragline.documents as d
    where
      d.parse_id = p.id
      and d.source_id = cast(:source_id as bigint)
      and d.state not in ('missing', 'removed')
      and (d.state <> 'failed' or d.error_name is distinct from 'ChunkingError')
  )
  and not exists (
    select
    from ragline.chunkings as k
    where k.parse_id = p.id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
  )
  and p.id <> all(cast(:failed_parses as bigint[]))
