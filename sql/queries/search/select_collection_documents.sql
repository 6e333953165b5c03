-- Returns the documents of a collection after (:after_source, :after_id) that :principals may see,
-- in order of source and document id. Missing and removed documents are left out. `chunks` is the
-- number of entries in the live generation.
select
  s.name as source,
  d.document_id,
  d.state,
  p.title,
  p.file_type,
  d.metadata,
  d.content_hash,
  d.version,
  d.changed_at as source_changed_at,
  d.visible_at,
  coalesce(placed.entry_count, 0) as chunks
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
left join ragline.placements as placed
  on placed.document_key = d.id and placed.generation_id = c.live_generation_id
where
  c.name = cast(:collection as text)
  and d.state not in ('missing', 'removed')
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[])
  )
  and (s.name, d.document_id) > (cast(:after_source as text), cast(:after_id as text))
order by s.name, d.document_id
limit cast(:limit as integer)
