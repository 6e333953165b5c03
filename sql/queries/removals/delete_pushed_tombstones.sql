-- Deletes the tombstones of pushed documents that were deleted at least :seconds ago. The row count
-- is their number.
delete from ragline.pushed_documents
where deleted_at <= now() - make_interval(secs => cast(:seconds as double precision))
