-- Locks a source's row while its listing is applied. One row: proven_at, attributes_fingerprint.
select proven_at, attributes_fingerprint
from ragline.sources
where id = cast(:source_id as bigint)
for no key update
