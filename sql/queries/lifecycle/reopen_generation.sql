-- Continues to build an abandoned or refused generation that is asked for again.
update ragline.generations
set state = 'building'
where id = cast(:generation_id as bigint) and state in ('abandoned', 'refused')
