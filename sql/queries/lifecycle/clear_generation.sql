-- Deletes the placements of a generation and resets its counts; its table is dropped already.
with placed as (
  delete from ragline.placements where generation_id = cast(:generation_id as bigint)
),
counted as (
  delete from ragline.lexemes where generation_id = cast(:generation_id as bigint)
)
update ragline.generations
set entry_count = 0, lexeme_count = 0, weighted_length = null, counted_at = null
where id = cast(:generation_id as bigint)
