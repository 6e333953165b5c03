-- Texts of a source's chunks that have no vector in the space yet: (text_hash, text).
select distinct on (c.text_hash) c.text_hash, c.header || c.text as text
from ragline.documents as d
join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
join ragline.chunks as c on c.chunking_id = k.id
where
  d.source_id = cast(:source_id as bigint)
  and d.missing_since is null
  and d.state <> 'removed'
  and not exists (
    select
    from ragline.embeddings as e
    where
      e.embedding_space_id = cast(:embedding_space_id as bigint)
      and e.text_hash = c.text_hash
  )
order by c.text_hash
limit cast(:limit as integer)
