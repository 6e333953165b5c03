-- Returns the documents of a source whose number of entries differs from the number that was
-- written: (document_id, document_key), in order of id. Checks only one part of the documents: part
-- :part of :parts, counted from 0.
select d.document_id, d.id as document_key
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
left join ragline.placements as p
  on p.document_key = d.id and p.generation_id = cast(:generation_id as bigint)
where
  s.name = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(d.id, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and coalesce(p.entry_count, 0) <> (
    select count(*)
    from ragline.entries_generation as e
    where e.document_key = d.id
  )
order by d.document_id
