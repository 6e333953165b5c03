-- Returns the entries of a collection's documents with one id that :principals may see: (id,
-- source), in order of source and then in the order of the document.
select
  e.id,
  e.source
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
join ragline.documents as d
  on d.source_id = s.id and d.document_id = cast(:document_id as text)
join ragline.entries_generation as e on e.document_key = d.id
where
  c.name = cast(:collection as text)
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (
    cast(:principals as text[]) is null
    or e.principals is null
    or e.principals && cast(:principals as text[])
  )
order by e.source, e.ordinal
