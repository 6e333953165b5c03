-- Returns the keys of a source (id, collection_id) if its kind and limits are as configured.
-- Returns no row if the source is new, or if one of these has changed.
select id, collection_id
from ragline.sources
where
  name = cast(:name as text)
  and collection_id = cast(:collection_id as bigint)
  and kind = cast(:kind as text)
  and visible_within = cast(:visible_within as interval)
  and forgotten_within = cast(:forgotten_within as interval)
