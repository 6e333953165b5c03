-- Deletes the tombstones of documents that were removed at least :seconds ago. The row count is
-- their number.
delete from ragline.documents as d
where
  d.state = 'removed'
  and d.removed_at <= now() - make_interval(secs => cast(:seconds as double precision))
  and not exists (select from ragline.placements as p where p.document_key = d.id)
