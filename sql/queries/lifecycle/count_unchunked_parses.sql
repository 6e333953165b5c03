-- One row: unchunked, the parses of a source that this chunker has not cut yet, also those that
-- somebody cuts now, but for :refused.
select count(distinct d.parse_id) as unchunked
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.parse_id is not null
  and d.parse_id <> all(cast(:refused as bigint[]))
  and d.state not in ('missing', 'removed')
  and (d.state <> 'failed' or d.error_name is distinct from 'ChunkingError')
  and not exists (
    select
    from ragline.chunkings as k
    where
      k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
  )
