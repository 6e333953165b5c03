-- Makes quarantined documents of a source pending as if they were new. If :document_ids is null,
-- all quarantined documents are released. Returns (source, document_id), in order of document id.
with released as (
  update ragline.documents as d
  set
    state = 'pending',
    read_version = null,
    attempts = 0,
    next_attempt_at = null,
    noticed_at = now(),
    clock_started_at = null
  from ragline.sources as s
  where
    s.id = d.source_id
    and d.state = 'quarantined'
    and s.name = cast(:source as text)
    and (
      cast(:document_ids as text[]) is null or d.document_id = any(cast(:document_ids as text[]))
    )
  returning s.name as source, d.document_id
)
select source, document_id
from released
order by source, document_id
