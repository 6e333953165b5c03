-- Locks a collection by its id, so that one transaction at a time decides which generation is live.
-- One row: id.
select id
from ragline.collections
where id = cast(:collection_id as bigint)
for no key update
