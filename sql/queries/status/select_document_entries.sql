-- Returns the ids of the entries of documents of a source in a generation (document_id, id), in the
-- order of the document.
select e.document_id, e.id
from ragline.sources as s
join ragline.documents as d
  on d.source_id = s.id and d.document_id = any(cast(:document_ids as text[]))
join ragline.entries_generation as e on e.document_key = d.id
where s.name = cast(:source as text)
order by e.document_id, e.ordinal
