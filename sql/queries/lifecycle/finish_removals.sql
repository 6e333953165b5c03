-- Marks missing documents as removed if no generation contains them. Only their tombstones are
-- kept. With :is_live_only, only the live generation is considered, because another generation has
-- failed. The failed generation deletes its entries when it is worked on again or dropped. Stores a
-- clock reading for each removed document that had been visible. Returns one row (finished): the
-- number of removed documents.
with gone as (
  select
    d.id,
    d.source_id,
    d.document_id,
    coalesce(d.clock_started_at, d.missing_since) as started_at,
    d.missing_since,
    d.visible_at is not null as was_visible
  from ragline.documents as d
  where
    d.source_id = cast(:source_id as bigint)
    and d.state = 'missing'
    and not exists (
      select
      from ragline.placements as p
      join ragline.generations as g on g.id = p.generation_id
      where
        p.document_key = d.id
        and (
          g.state = 'live'
          or (g.state in ('building', 'candidate', 'retired') and not cast(:is_live_only as boolean))
        )
    )
  for no key update of d
),
removed as (
  update ragline.documents as d
  set
    state = 'removed',
    removed_at = clock_timestamp(),
    clock_started_at = null,
    held_since = null,
    parse_id = null,
    parsed_content_hash = null,
    metadata = '{}'::jsonb,
    own_metadata = '{}'::jsonb,
    principals = null,
    own_principals = null,
    attributes_hash = '',
    error_name = null,
    error = null,
    visible_at = null
  from gone as g
  where d.id = g.id
),
measured as (
  insert into ragline.clock_readings (
    source_id, document_id, clock, started_at, noticed_at, stopped_at, run_id
  )
  select
    g.source_id, g.document_id, 'forgotten', g.started_at, g.missing_since, clock_timestamp(),
    cast(:run_id as text)
  from gone as g
  where g.was_visible
)
select count(*) as finished
from gone
