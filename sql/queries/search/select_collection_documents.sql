-- Returns the documents of a collection after (:after_source, :after_id) that :principals may see,
-- in order of source and document id. Missing and removed documents are left out. `chunks` is the
-- number of entries in the live generation.
select
  s.name as source,
  d.document_id,
  d.state,
  p.title,
  p.file_type,
  d.metadata,
  d.content_hash,
  d.version,
  d.changed_at as source_changed_at,
  d.visible_at,
  coalesce(placed.entry_count, 0) as chunks
{rows/permitted_documents}
  and d.state not in ('missing', 'removed')
order by s.name, d.document_id
limit cast(:limit as integer)
