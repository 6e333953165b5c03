-- One row: the cosine of an entry of a generation and a vector. No row if the entry does not exist.
select 1 - (embedding <=> cast(:embedding as halfvec)) as cosine
from ragline.entries_generation
where id = cast(:entry_id as bigint)
