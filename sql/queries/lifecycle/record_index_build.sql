-- Stores how many entries the vector index of a generation had after its creation, and how many
-- seconds the creation took.
update ragline.generations
set
  vector_index_entries = cast(:entries as bigint),
  vector_index_seconds = cast(:seconds as double precision)
where id = cast(:generation_id as bigint)
