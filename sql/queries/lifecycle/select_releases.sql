-- Returns the releases of a collection, oldest first. The last one is the release now.
select
{columns/release}
from ragline.releases as r
join ragline.collections as c on c.id = r.collection_id
where c.name = cast(:collection as text)
order by r.id
