-- One row: the bytes of the table of all chunks with its indexes, and the number of chunks.
select
  pg_total_relation_size('ragline.chunks') as bytes,
  coalesce(sum(k.chunk_count), 0)::bigint as chunks
from ragline.chunkings as k
