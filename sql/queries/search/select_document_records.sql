-- Returns the documents of a collection with one id that :principals may see, in every state, in
-- order of source. A row has the document's properties, its last error and its next attempt.
select
  s.name as source,
  s.kind as source_kind,
  d.document_id,
  d.state,
  p.title,
  p.file_type,
  p.language,
  p.page_count,
  d.metadata,
  d.content_hash,
  d.version as source_version,
  d.read_version,
  d.error_name,
  d.error,
  d.attempts,
  d.next_attempt_at,
  d.changed_at as source_changed_at,
  d.noticed_at,
  d.missing_since,
  d.held_since,
  d.removed_at,
  d.visible_at,
  coalesce(placed.entry_count, 0) as chunks,
  c.live_generation_id as generation
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
left join ragline.placements as placed
  on placed.document_key = d.id and placed.generation_id = c.live_generation_id
where
  c.name = cast(:collection as text)
  and d.document_id = cast(:document_id as text)
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[])
  )
order by s.name
