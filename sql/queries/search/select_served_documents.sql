-- The documents of one id that a collection's generation holds and :principals may read (null
-- reads everything): document_key, source, chunk_count; one row for each source, by its name.
select
  d.id as document_key,
  s.name as source,
  count(*) as chunk_count
from ragline.collections as c
join ragline.sources as s on s.collection_id = c.id
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
group by d.id, s.name
order by s.name
