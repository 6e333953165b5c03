-- Returns the last sync proof of a source, or no row if the source was never proven.
select
  proven_at, run_id, is_listed, documents, hashed_documents, entries, largest_unseen_ratio,
  difference_count, differences, source_error, seconds
from ragline.sync_proofs
where source_id = cast(:source_id as bigint)
order by id desc
limit 1
