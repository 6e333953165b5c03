-- Returns the documents of a source with an entry whose vector is not the stored vector of its
-- text: (document_id, document_key), in order of id. A text without a stored vector counts too.
-- Checks only one part of the documents: part :part of :parts, counted from 0.
select e.document_id, e.document_key
from ragline.entries_generation as e
join ragline.generations as g on g.id = cast(:generation_id as bigint)
left join ragline.embeddings as v
  on v.embedding_space_id = g.embedding_space_id and v.text_hash = e.text_hash
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and (v.text_hash is null or v.embedding <> e.embedding)
group by e.document_id, e.document_key
order by e.document_id
