-- Marks the documents that a complete listing no longer holds; the row count is how many.
update ragline.documents as d
set missing_since = now()
where
  d.source_id = cast(:source_id as bigint)
  and d.state <> 'removed'
  and d.missing_since is null
  and not exists (select from listed as l where l.document_id = d.document_id)
