-- Notes that a generation's table is gone; its counts and placements go with it.
with placed as (
  delete from ragline.placements where generation_id = cast(:generation_id as bigint)
),
counted as (
  delete from ragline.lexemes where generation_id = cast(:generation_id as bigint)
)
update ragline.generations
set state = 'dropped'
where id = cast(:generation_id as bigint)
