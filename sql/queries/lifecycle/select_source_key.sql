-- The keys of a source whose kind and clocks are as configured; no row when it is new or they have
-- changed.
select id, collection_id
from ragline.sources
where
  name = cast(:name as text)
  and collection_id = cast(:collection_id as bigint)
  and kind = cast(:kind as text)
  and visible_within = cast(:visible_within as interval)
  and forgotten_within = cast(:forgotten_within as interval)
