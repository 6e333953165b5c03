-- Sets the average length that the term weights of a generation are computed with.
update ragline.generations
set weighted_length = cast(:average_length as double precision)
where id = cast(:generation_id as bigint)
