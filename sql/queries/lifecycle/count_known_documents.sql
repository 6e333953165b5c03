-- Returns one row (known): the number of documents that a source had before this listing.
select count(*) as known
from ragline.documents
where source_id = cast(:source_id as bigint) and state not in ('missing', 'removed')
