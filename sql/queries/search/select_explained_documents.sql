-- Returns the documents of a collection with one of some ids, as the ledger records them, in order
-- of source. `entry_count` is the number of their entries in a generation. `is_admitted` says
-- whether :principals may see the document. Without :reveals_hidden, documents that they may not
-- see are left out.
select
  d.id,
  s.name as source,
  d.document_id,
  d.state,
  d.error_name,
  d.error,
  d.attempts,
  d.next_attempt_at,
  d.noticed_at,
  d.missing_since,
  d.visible_at,
  p.title,
  coalesce(placed.entry_count, 0) as entry_count,
  k.chunk_count,
  seen.is_admitted
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join ragline.parses as p on p.id = d.parse_id
left join ragline.placements as placed
  on placed.document_key = d.id and placed.generation_id = cast(:generation_id as bigint)
left join ragline.chunkings as k
  on k.parse_id = d.parse_id and k.chunker_fingerprint = cast(:chunker_fingerprint as text)
cross join lateral (
  select coalesce(
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[]),
    false
  ) as is_admitted
) as seen
where
  c.name = cast(:collection as text)
  and d.document_id = any(cast(:document_ids as text[]))
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (seen.is_admitted or cast(:reveals_hidden as boolean))
order by s.name
