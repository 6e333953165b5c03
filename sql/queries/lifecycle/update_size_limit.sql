-- Records the maximum size of a document that a source accepts. If the maximum was increased,
-- documents that were too large become pending as if they were new.
with raised as (
  update ragline.sources as s
  set max_document_bytes = cast(:max_document_bytes as bigint)
  from ragline.sources as before
  where
    s.id = cast(:source_id as bigint)
    and before.id = s.id
    and s.max_document_bytes is distinct from cast(:max_document_bytes as bigint)
  returning s.id, before.max_document_bytes < s.max_document_bytes as is_more
)
update ragline.documents as d
set
  state = 'pending',
  read_version = null,
  attempts = 0,
  next_attempt_at = null,
  noticed_at = now(),
  clock_started_at = null
from raised as r
where
  r.is_more
  and d.source_id = r.id
  and d.state = 'quarantined'
  and d.error_name = 'DocumentTooLargeError'
