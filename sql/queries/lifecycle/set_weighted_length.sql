-- Fixes the average length that the term weights of a generation are made with.
update ragline.generations
set weighted_length = cast(:average_length as double precision)
where id = cast(:generation_id as bigint)
