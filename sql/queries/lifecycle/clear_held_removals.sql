-- Ends the hold of each removal whose document is listed again.
update ragline.documents as d
set held_since = null
where
  d.source_id = cast(:source_id as bigint)
  and d.held_since is not null
  and exists (select from listed as l where l.document_id = d.document_id)
