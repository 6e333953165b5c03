-- Makes an abandoned generation `building` again, because the configuration requires it again.
update ragline.generations
set state = 'building'
where id = cast(:generation_id as bigint) and state = 'abandoned'
