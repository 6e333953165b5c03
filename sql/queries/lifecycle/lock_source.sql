-- Locks the row of a source while its listing is recorded. Returns one row (proven_at,
-- attributes_fingerprint).
select proven_at, attributes_fingerprint
from ragline.sources
where id = cast(:source_id as bigint)
for no key update
