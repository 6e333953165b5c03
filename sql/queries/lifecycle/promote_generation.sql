-- Makes a generation live, and retires the generation that was live before. With :is_decided, an
-- operator decided it, and the hold of the generation ends. With :is_replaced_held, the retired
-- generation is held, so that no sync promotes it again.
with retired as (
  update ragline.generations as g
  set
    state = 'retired',
    retired_at = clock_timestamp(),
    held_at = case when cast(:is_replaced_held as boolean) then clock_timestamp() end
  where
    g.collection_id = cast(:collection_id as bigint)
    and g.state = 'live'
    and g.id <> cast(:generation_id as bigint)
),
promoted as (
  update ragline.generations as g
  set
    state = 'live',
    promoted_at = clock_timestamp(),
    retired_at = null,
    held_at = case when not cast(:is_decided as boolean) then g.held_at end
  where g.id = cast(:generation_id as bigint)
)
update ragline.collections
set live_generation_id = cast(:generation_id as bigint)
where id = cast(:collection_id as bigint)
