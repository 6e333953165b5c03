-- Returns the documents of a collection after (:after_source, :after_id) that :principals may see,
-- in order of source and document id. With :state, only documents in this state are returned.
-- Without it, all documents that are not missing or removed are returned. With :part, only
-- documents whose id or title contains this text are returned. Upper and lower case are not
-- distinguished.
select
  s.name as source,
  d.document_id,
  d.state,
  p.title,
  p.file_type,
  d.changed_at as source_changed_at,
  d.visible_at,
  d.error_name,
  d.next_attempt_at,
  coalesce(placed.entry_count, 0) as chunks
{rows/permitted_documents}
  and case
    when cast(:state as text) is null then d.state not in ('missing', 'removed')
    else d.state = cast(:state as text)
  end
  and (
    cast(:part as text) is null
    or position(lower(cast(:part as text)) in lower(d.document_id)) > 0
    or position(lower(cast(:part as text)) in lower(p.title)) > 0
  )
order by s.name, d.document_id
limit cast(:limit as integer)
