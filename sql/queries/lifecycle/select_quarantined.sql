-- Returns the quarantined documents of a source, or of every source if :source is null: (source,
-- document_id, error_name, error, attempts, noticed_at), in order of source and document id.
select s.name as source, d.document_id, d.error_name, d.error, d.attempts, d.noticed_at
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
where
  d.state = 'quarantined'
  and (cast(:source as text) is null or s.name = cast(:source as text))
order by s.name, d.document_id
