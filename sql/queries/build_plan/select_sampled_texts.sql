-- Random texts among the stored chunks of a collection's documents, with their token counts: chunks
-- of one chunker. The order of the hashes is random.
select c.header || c.text as text, c.token_count
from (
  select distinct on (c.text_hash) c.id
  from ragline.sources as s
  join ragline.collections as o on o.id = s.collection_id
  join ragline.documents as d on d.source_id = s.id
  join ragline.chunkings as m
    on m.parse_id = d.parse_id and m.chunker_fingerprint = cast(:chunker_fingerprint as text)
  join ragline.chunks as c on c.chunking_id = m.id
  where
    o.name = cast(:collection as text)
    and d.state not in ('missing', 'removed')
    and not exists (
      select
      from ragline.embeddings as e
      where
        e.embedding_space_id = cast(:embedding_space_id as bigint)
        and e.text_hash = c.text_hash
    )
  order by c.text_hash
  limit cast(:limit as integer)
) as chosen
join ragline.chunks as c on c.id = chosen.id
