-- One row: documents, how many documents a generation contains.
select count(*) as documents
from ragline.placements
where generation_id = cast(:generation_id as bigint)
