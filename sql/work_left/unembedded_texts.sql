-- Work left of the stage `embed`: the chunks c of a source's documents that have no vector in the
-- embedding space. Only documents whose entries in the generation must be replaced are included.
-- Chunks with equal texts have the same text_hash and share one vector.
from ragline.documents as d
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
join ragline.chunks as c on c.chunking_id = k.id
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and p.chunking_id is distinct from k.id
  and not exists (
    select
    from ragline.embeddings as e
    where
      e.embedding_space_id = cast(:embedding_space_id as bigint)
      and e.text_hash = c.text_hash
  )
