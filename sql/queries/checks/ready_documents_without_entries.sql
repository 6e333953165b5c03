-- Returns the ready documents of a source without an entry in the live generation: (document_id,
-- document_key), in order of id. Returns no rows for a generation that is not live. Checks only one
-- part of the documents: part :part of :parts, counted from 0.
select d.document_id, d.id as document_key
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.generations as g on g.id = cast(:generation_id as bigint) and g.state = 'live'
where
  s.name = cast(:source as text)
  and d.state = 'ready'
  and (
    cast(:parts as bigint) = 1
    or mod(d.id, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and not exists (select from ragline.entries_generation as e where e.document_key = d.id)
order by d.document_id
