-- Makes failed and unsupported documents due now. If :document_ids is null, all such documents of
-- the source become due. If :source is null, those of every source become due. Returns (source,
-- document_id), in order of source and document id.
with retried as (
  update ragline.documents as d
  set next_attempt_at = now()
  from ragline.sources as s
  where
    s.id = d.source_id
    and d.state in ('failed', 'unsupported')
    and (cast(:source as text) is null or s.name = cast(:source as text))
    and (
      cast(:document_ids as text[]) is null or d.document_id = any(cast(:document_ids as text[]))
    )
  returning s.name as source, d.document_id
)
select source, document_id
from retried
order by source, document_id
