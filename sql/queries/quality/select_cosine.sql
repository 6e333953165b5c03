-- The cosine of an entry of a generation and a vector; no row when the entry has gone.
select 1 - (embedding <=> cast(:embedding as halfvec)) as cosine
from ragline.entries_generation
where id = cast(:entry_id as bigint)
