-- Records which chunking of each document a generation now contains.
insert into ragline.placements (
  generation_id, document_key, chunking_id, content_hash, attributes_hash, entry_count, placed_at,
  analysis_version
)
select
  cast(:generation_id as bigint), d.id, k.id, d.parsed_content_hash, d.attributes_hash,
  k.chunk_count, clock_timestamp(), cast(:analysis_version as text)
from unnest(cast(:document_keys as bigint[]), cast(:chunking_ids as bigint[]))
  as t (document_key, chunking_id)
join ragline.documents as d on d.id = t.document_key
join ragline.chunkings as k on k.id = t.chunking_id
