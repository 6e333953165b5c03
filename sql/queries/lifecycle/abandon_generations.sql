-- Abandons generations that are being built and that nothing asks for any more.
update ragline.generations
set state = 'abandoned'
where id = any(cast(:ids as bigint[])) and state = 'building'
