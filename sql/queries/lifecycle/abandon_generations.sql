-- Abandons the given generations that are in the state `building` or `candidate`. The configuration
-- does not require them any more.
update ragline.generations
set state = 'abandoned'
where id = any(cast(:ids as bigint[])) and state in ('building', 'candidate')
