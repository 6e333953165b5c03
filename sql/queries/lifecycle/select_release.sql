-- Returns the last release of a collection, which is the release now. With :generation_id, it is the
-- last release of this generation, and with :release_id, it is this release. One row or none.
select
{columns/release}
from ragline.releases as r
join ragline.collections as c on c.id = r.collection_id
where
  c.name = cast(:collection as text)
  and r.generation_id = coalesce(cast(:generation_id as bigint), r.generation_id)
  and r.id = coalesce(cast(:release_id as bigint), r.id)
order by r.id desc
limit 1
