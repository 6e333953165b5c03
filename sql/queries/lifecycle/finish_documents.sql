-- Marks pending documents as ready if their entries in the live generation match the ledger. Stores
-- a clock reading for each change that was indexed after Ragline noticed it. Returns one row
-- (finished): the number of documents that became ready.
with waiting as (
  select
    d.id,
    d.source_id,
    d.document_id,
    coalesce(d.clock_started_at, d.noticed_at) as started_at,
    d.noticed_at,
    greatest(p.placed_at, g.promoted_at) as visible_at
  from ragline.documents as d
  join ragline.placements as p on p.document_key = d.id
  join ragline.generations as g on g.id = p.generation_id and g.state = 'live'
  join ragline.chunkings as k on k.id = p.chunking_id
  where
    d.source_id = cast(:source_id as bigint)
    and d.state = 'pending'
    and d.read_version = d.version
    and p.content_hash = d.parsed_content_hash
    and p.attributes_hash = d.attributes_hash
    and k.parse_id = d.parse_id
  for no key update of d
),
finished as (
  update ragline.documents as d
  set
    state = 'ready',
    visible_at = w.visible_at,
    clock_started_at = null,
    attempts = 0
  from waiting as w
  where d.id = w.id
),
measured as (
  insert into ragline.clock_readings (
    source_id, document_id, clock, started_at, noticed_at, stopped_at, run_id
  )
  select
    w.source_id, w.document_id, 'visible', w.started_at, w.noticed_at, w.visible_at,
    cast(:run_id as text)
  from waiting as w
  where w.visible_at >= w.noticed_at
)
select count(*) as finished
from waiting
