-- Refuses a candidate and holds it, so that no sync builds or promotes it again. A generation in
-- another state does not change.
update ragline.generations
set state = 'refused', held_at = clock_timestamp()
where id = cast(:generation_id as bigint) and state = 'candidate'
