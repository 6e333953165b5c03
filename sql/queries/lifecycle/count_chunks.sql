-- Returns one row (documents, chunks): the number of a source's documents that a chunker has
-- chunked, and the number of their chunks.
select
  count(*) as documents,
  coalesce(sum(k.chunk_count), 0)::bigint as chunks
from ragline.documents as d
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
