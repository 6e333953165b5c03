-- Rewrites all columns of some documents' entries except text, vector and term weights. Returns one
-- row (refreshed): the number of entries.
with refreshed as (
  update ragline.entries_generation as e
  set
    metadata = d.metadata,
    principals = d.principals,
    content_hash = d.parsed_content_hash,
    source_version = d.read_version,
    source_changed_at = d.changed_at,
    run_id = cast(:run_id as text),
    indexed_at = clock_timestamp()
  from ragline.documents as d
  where e.document_key = d.id and d.id = any(cast(:document_keys as bigint[]))
  returning e.id
),
placed as (
  update ragline.placements as p
  set
    content_hash = d.parsed_content_hash,
    attributes_hash = d.attributes_hash,
    placed_at = clock_timestamp()
  from ragline.documents as d
  where
    p.document_key = d.id
    and p.generation_id = cast(:generation_id as bigint)
    and d.id = any(cast(:document_keys as bigint[]))
)
select count(*) as refreshed
from refreshed
