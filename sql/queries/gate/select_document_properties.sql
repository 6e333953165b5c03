-- Returns the documents of a collection with the given ids: document_id, source, file_type,
-- language. The last two are null if the document was not parsed. Several sources can have a
-- document with one id. In order of id and source.
select
  d.document_id,
  s.name as source,
  p.file_type,
  p.language
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
where
  c.name = cast(:collection as text)
  and d.document_id = any(cast(:document_ids as text[]))
  and d.state not in ('missing', 'removed')
order by d.document_id, s.name
