-- Returns the sources of a collection with failed blocking checks, by name: (name, failed_checks).
select s.name, s.failed_checks
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
where c.name = cast(:collection as text) and s.failed_checks <> '{}'
order by s.name
