-- Returns one row with the number of a source's documents in each state.
select
  count(*) filter (where state = 'pending') as pending,
  count(*) filter (where state = 'ready') as ready,
  count(*) filter (where state = 'failed') as failed,
  count(*) filter (where state = 'quarantined') as quarantined,
  count(*) filter (where state = 'unsupported') as unsupported,
  count(*) filter (where state = 'missing') as missing,
  count(*) filter (where state = 'removed') as removed
from ragline.documents
where source_id = cast(:source_id as bigint)
