-- Returns the documents of a source with an entry whose text has no stored vector, or a stored
-- vector that differs from the entry's vector: (document_id, document_key), in order of id. Checks
-- only one part of the documents: part :part of :parts, counted from 0.
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
