-- Marks a generation as dropped, and deletes its counts and placements. The table of its entries
-- was dropped before.
with placed as (
  delete from ragline.placements where generation_id = cast(:generation_id as bigint)
),
counted as (
  delete from ragline.lexemes where generation_id = cast(:generation_id as bigint)
)
update ragline.generations
set state = 'dropped'
where id = cast(:generation_id as bigint)
