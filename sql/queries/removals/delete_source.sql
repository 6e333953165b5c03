-- Deletes a source with its reports, clock readings and proofs.
with reports as (
  delete from ragline.source_syncs where source_id = cast(:source_id as bigint)
)
delete from ragline.sources
where id = cast(:source_id as bigint)
