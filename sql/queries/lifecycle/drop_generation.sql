-- Marks a generation as dropped, and deletes its counts and placements; its table is dropped
-- already.
with placed as (
  delete from ragline.placements where generation_id = cast(:generation_id as bigint)
),
counted as (
  delete from ragline.lexemes where generation_id = cast(:generation_id as bigint)
)
update ragline.generations
set state = 'dropped'
where id = cast(:generation_id as bigint)
