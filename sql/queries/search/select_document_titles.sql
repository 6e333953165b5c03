-- Returns the titles of the documents of a collection with the ids :document_ids that :principals
-- may see: (document_id, source, title), in order of id and source. A title can be null.
select
  d.document_id,
  s.name as source,
  p.title
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
where
  c.name = cast(:collection as text)
  and d.document_id = any (cast(:document_ids as text[]))
  and (
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[])
  )
order by d.document_id, s.name
