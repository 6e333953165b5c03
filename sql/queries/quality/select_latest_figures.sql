-- Returns the latest figures of each collection up to the day :until, in order of collection.
select distinct on (collection)
  collection,
  day,
  measured_at,
  figures
from ragline.quality_figures
where
  day <= cast(:until as date)
  and (cast(:collection as text) is null or collection = cast(:collection as text))
order by collection, day desc
