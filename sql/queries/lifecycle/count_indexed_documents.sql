-- Returns one row (documents): the number of documents that a generation contains.
select count(*) as documents
from ragline.placements
where generation_id = cast(:generation_id as bigint)
