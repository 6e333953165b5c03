-- Marks documents that a complete listing no longer holds; the row count is how many. The clock
-- starts when the source lost each of them, as far as that is known (:gone_at).
update ragline.documents as d
set
  state = 'missing',
  missing_since = now(),
  held_since = null,
  clock_started_at = least(now(), greatest(t.gone_at, cast(:proven_at as timestamptz)))
from unnest(cast(:ids as bigint[]), cast(:gone_at as timestamptz[])) as t (id, gone_at)
where d.id = t.id
