-- Returns the sources of a collection, by name: (source, documents, entries, newest_change_at,
-- oldest_change_at). The counts and the times are those of the documents that a generation contains.
-- The times are null if the source does not report when its documents changed.
select
  s.name as source,
  count(p.document_key) as documents,
  coalesce(sum(p.entry_count), 0)::bigint as entries,
  max(d.changed_at) filter (where p.document_key is not null) as newest_change_at,
  min(d.changed_at) filter (where p.document_key is not null) as oldest_change_at
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
left join ragline.documents as d on d.source_id = s.id
left join ragline.placements as p
  on p.document_key = d.id
  and p.generation_id = cast(:generation_id as bigint)
  and p.entry_count > 0
where c.name = cast(:collection as text)
group by s.name
order by s.name
