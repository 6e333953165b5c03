-- Excludes the writers of a generation's entries until the transaction ends. A change of its state
-- is possible. Returns one row (state, entry_count, lexeme_count, weighted_length).
select state, entry_count, lexeme_count, weighted_length
from ragline.generations
where id = cast(:generation_id as bigint)
for key share
