-- Returns one row (is_served): whether a collection has a live generation.
select exists (
  select
  from ragline.collections as c
  where c.name = cast(:collection as text) and c.live_generation_id is not null
) as is_served
