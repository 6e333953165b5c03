-- Returns the documents of a source that must not be served but have an entry: (document_id,
-- document_key), in order of id. Checks only one part of the documents: part :part of :parts,
-- counted from 0.
select e.document_id, e.document_key
from ragline.entries_generation as e
left join ragline.documents as d on d.id = e.document_key
where
  e.source = cast(:source as text)
  and (
    cast(:parts as bigint) = 1
    or mod(e.document_key, cast(:parts as bigint)) = cast(:part as bigint)
  )
  and (d.id is null or d.state in ('missing', 'removed', 'quarantined', 'unsupported'))
group by e.document_id, e.document_key
order by e.document_id
