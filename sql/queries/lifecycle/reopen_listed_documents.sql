-- Makes a known document pending if its version changed, or if it is listed again after it was
-- missing or removed. Returns one row (returned_count): the number of documents that were missing
-- or removed.
with reopened as (
  select
    d.id,
    l.version,
    l.changed_at,
    d.state in ('missing', 'removed') as was_gone,
    least(now(), greatest(l.changed_at, cast(:proven_at as timestamptz))) as clock_started_at
  from ragline.documents as d
  join listed as l on l.document_id = d.document_id
  where
    d.source_id = cast(:source_id as bigint)
    and (d.version <> l.version or d.state in ('missing', 'removed'))
),
written as (
  update ragline.documents as d
  set
    state = 'pending',
    version = r.version,
    read_version = case when r.was_gone then null else d.read_version end,
    changed_at = r.changed_at,
    noticed_at = now(),
    -- If a document already waits, its clock has run since its first change.
    clock_started_at = case
      when d.state in ('pending', 'failed') then least(d.clock_started_at, r.clock_started_at)
      else r.clock_started_at
    end,
    attempts = 0,
    next_attempt_at = null,
    missing_since = null,
    removed_at = null
  from reopened as r
  where d.id = r.id
  returning r.was_gone
)
select count(*) filter (where was_gone) as returned_count
from written
