-- Makes a generation live, and retires the generation that was live before.
with retired as (
  update ragline.generations as g
  set state = 'retired', retired_at = clock_timestamp()
  where
    g.collection_id = cast(:collection_id as bigint)
    and g.state = 'live'
    and g.id <> cast(:generation_id as bigint)
),
promoted as (
  update ragline.generations as g
  set state = 'live', promoted_at = clock_timestamp(), retired_at = null
  where g.id = cast(:generation_id as bigint)
)
update ragline.collections
set live_generation_id = cast(:generation_id as bigint)
where id = cast(:collection_id as bigint)
