-- How many entries the vector index of a generation had after its creation, and how many seconds the
-- creation took. A build plan estimates the time of the next one from both.
alter table ragline.generations add column if not exists vector_index_entries bigint;
alter table ragline.generations add column if not exists vector_index_seconds double precision;
