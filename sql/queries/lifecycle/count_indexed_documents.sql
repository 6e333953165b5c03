-- One row: documents, how many of them a generation holds.
select count(*) as documents
from ragline.placements
where generation_id = cast(:generation_id as bigint)
