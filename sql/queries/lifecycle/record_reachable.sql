-- Records that a source answered. :proven_at is the time at which the source was last known to be
-- unchanged, or null. Returns one row (was_unreachable).
with before as (
  select id, unreachable_since
  from ragline.sources
  where name = cast(:source as text)
  for update
)
update ragline.sources as s
set
  unreachable_since = null,
  unreachable_error = null,
  proven_at = greatest(s.proven_at, cast(:proven_at as timestamptz))
from before
where s.id = before.id
returning before.unreachable_since is not null as was_unreachable
