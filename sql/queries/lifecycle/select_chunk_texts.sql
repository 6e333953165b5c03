-- The texts of some chunkings that the keyword leg reads: (id, text), by chunk.
select c.id, c.header || c.text as text
from ragline.chunks as c
where c.chunking_id = any(cast(:chunking_ids as bigint[]))
order by c.id
