-- Locks a generation's row, so that its entries have one writer at a time. One row: state,
-- entry_count, lexeme_count, weighted_length.
select state, entry_count, lexeme_count, weighted_length
from ragline.generations
where id = cast(:generation_id as bigint)
for update
