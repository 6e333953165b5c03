-- Makes a candidate of a complete generation that was being built.
update ragline.generations
set state = 'candidate'
where id = cast(:generation_id as bigint) and state = 'building'
