-- Returns the documents of a source with an entry whose chunk is missing or has another text:
-- (document_id, document_key), in order of id. Checks only one part of the documents: part :part of
-- :parts, counted from 0.
select e.document_id, e.document_key
from ragline.entries_generation as e
left join ragline.chunks as c on c.id = e.chunk_id
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and (c.id is null or c.text_hash <> e.text_hash or c.text <> e.text)
group by e.document_id, e.document_key
order by e.document_id
