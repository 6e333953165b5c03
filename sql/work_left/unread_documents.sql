-- Work left of the stage `read`: the documents d of a source whose bytes must be read. A document
-- must be read if its listed version was not read yet, if its retry is due, or if another version
-- of the parser read it.
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and (
    (d.state = 'pending' and d.read_version is distinct from d.version)
    or (d.state in ('failed', 'unsupported') and d.next_attempt_at <= now())
    or (d.read_by <> cast(:parser_fingerprint as text) and d.read_by <> 'given')
  )
