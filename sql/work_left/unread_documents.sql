-- Work left of the stage `read`: the documents d of a source whose bytes must be read. Those are a
-- version that was not read, a retry that is due, and a document read by another parser.
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and (
    (d.state = 'pending' and d.read_version is distinct from d.version)
    or (d.state in ('failed', 'unsupported') and d.next_attempt_at <= now())
    or (d.read_by <> cast(:parser_fingerprint as text) and d.read_by <> 'given')
  )
