-- Returns the documents of a source that could not be read: (document_id, state, error_name,
-- error), in order of document id, at most :limit.
select document_id, state, error_name, error
from ragline.documents
where
  source_id = cast(:source_id as bigint)
  and state in ('failed', 'quarantined', 'unsupported')
order by document_id
limit cast(:limit as integer)
