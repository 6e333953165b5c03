-- Locks the row of a generation, so that its entries have one writer at a time. Returns one row
-- (state, entry_count, lexeme_count, weighted_length).
select state, entry_count, lexeme_count, weighted_length
from ragline.generations
where id = cast(:generation_id as bigint)
for update
