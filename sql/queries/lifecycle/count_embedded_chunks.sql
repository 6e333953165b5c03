-- Returns one row (chunks, embedded): the number of chunks of a collection that a generation needs,
-- and the number of those that have a vector.
select
  count(*) as chunks,
  count(e.text_hash) as embedded
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
join ragline.chunks as c on c.chunking_id = k.id
left join ragline.embeddings as e
  on e.embedding_space_id = cast(:embedding_space_id as bigint) and e.text_hash = c.text_hash
where
  s.collection_id = cast(:collection_id as bigint)
  and d.state not in ('missing', 'removed')
