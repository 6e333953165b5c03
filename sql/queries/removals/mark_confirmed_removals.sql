-- Marks documents whose held removal was confirmed as missing. Their clocks start at the time at
-- which the removal was held.
update ragline.documents
set
  state = 'missing',
  missing_since = now(),
  clock_started_at = held_since,
  held_since = null
where id = any(cast(:ids as bigint[]))
