-- Abandons those of some generations that are being built; nothing asks for them any more.
update ragline.generations
set state = 'abandoned'
where id = any(cast(:ids as bigint[])) and state = 'building'
