-- Stores the average length with which the term weights of a generation were computed.
update ragline.generations
set weighted_length = cast(:average_length as double precision)
where id = cast(:generation_id as bigint)
