-- Returns the documents of :source, or of all sources if it is null, in order of source and
-- document id.
select
  d.document_id,
  s.name as source,
  d.state,
  d.content_hash,
  p.title,
  coalesce(placed.entry_count, 0) as chunks,
  case when d.error_name is not null then d.error_name || ': ' || d.error end as error,
  d.visible_at
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
left join ragline.placements as placed
  on placed.document_key = d.id and placed.generation_id = c.live_generation_id
where cast(:source as text) is null or s.name = cast(:source as text)
order by s.name, d.document_id
