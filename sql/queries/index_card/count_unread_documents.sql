-- Returns the documents of a collection that could not be read: (source, state, reason, documents).
-- The reason is the name of the error. In order of source, state and reason.
select
  s.name as source,
  d.state,
  coalesce(d.error_name, 'not known') as reason,
  count(*) as documents
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
where
  c.name = cast(:collection as text)
  and d.state in ('failed', 'quarantined', 'unsupported')
group by s.name, d.state, d.error_name
order by s.name, d.state, reason
