-- Records that a source cannot be reached. Returns one row (is_new): whether the source was
-- reachable before.
with before as (
  select id, unreachable_since
  from ragline.sources
  where name = cast(:source as text)
  for update
)
update ragline.sources as s
set
  unreachable_since = coalesce(s.unreachable_since, clock_timestamp()),
  unreachable_error = cast(:error as text)
from before
where s.id = before.id
returning before.unreachable_since is null as is_new
