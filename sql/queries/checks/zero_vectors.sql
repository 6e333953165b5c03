-- Returns the documents of a source with an entry whose vector has length zero: (document_id,
-- document_key), in order of id. Checks only one part of the documents: part :part of :parts,
-- counted from 0.
select e.document_id, e.document_key
from ragline.entries_generation as e
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and l2_norm(e.embedding) < 0.01
group by e.document_id, e.document_key
order by e.document_id
