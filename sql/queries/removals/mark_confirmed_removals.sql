-- Marks documents as missing after a person confirmed their held removals. Their clocks start at
-- the time at which the removals were held.
update ragline.documents
set
  state = 'missing',
  missing_since = now(),
  clock_started_at = held_since,
  held_since = null
where id = any(cast(:ids as bigint[]))
