-- Inserts a chunking for each parse that has none. Returns (parse_id, id) of the inserted
-- chunkings.
insert into ragline.chunkings (parse_id, chunker_fingerprint, chunk_count)
select c.parse_id, cast(:chunker_fingerprint as text), c.chunk_count
from unnest(cast(:parse_ids as bigint[]), cast(:chunk_counts as integer[]))
  as c (parse_id, chunk_count)
on conflict (parse_id, chunker_fingerprint) do nothing
returning parse_id, id
