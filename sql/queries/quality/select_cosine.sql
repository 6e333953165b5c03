-- Returns one row (cosine): the cosine similarity of an entry of a generation and a vector. Returns
-- no row if the entry does not exist.
select 1 - (embedding <=> cast(:embedding as halfvec)) as cosine
from ragline.entries_generation
where id = cast(:entry_id as bigint)
