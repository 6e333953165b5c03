-- The sources of a collection that have a document now: (source), in order.
select s.name as source
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
where
  c.name = cast(:collection as text)
  and d.document_id = cast(:document_id as text)
  and d.state not in ('missing', 'removed')
order by s.name
