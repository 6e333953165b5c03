-- Marks documents as missing if a complete listing no longer contains them. The row count is their
-- number. The clock starts at the time of the removal in the source (:gone_at), if that time is
-- known.
update ragline.documents as d
set
  state = 'missing',
  missing_since = now(),
  held_since = null,
  clock_started_at = least(now(), greatest(t.gone_at, cast(:proven_at as timestamptz)))
from unnest(cast(:ids as bigint[]), cast(:gone_at as timestamptz[])) as t (id, gone_at)
where d.id = t.id
