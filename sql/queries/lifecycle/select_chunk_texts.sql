-- Returns the texts of some chunkings for the keyword leg: (id, text), in order of chunk id.
select c.id, c.header || c.text as text
from ragline.chunks as c
where c.chunking_id = any(cast(:chunking_ids as bigint[]))
order by c.id
