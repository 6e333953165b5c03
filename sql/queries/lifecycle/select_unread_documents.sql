-- Claims documents whose bytes must be read: a new version, a retry that is due, another parser.
-- Rows: id, document_id, content_hash, parsed_content_hash, attempts; in order of document id,
-- those after :after, so that a claim need not pass what was read before. What another worker
-- reads is skipped.
select d.id, d.document_id, d.content_hash, d.parsed_content_hash, d.attempts
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and (
    (d.state = 'pending' and d.read_version is distinct from d.version)
    or (d.state in ('failed', 'unsupported') and d.next_attempt_at <= now())
    or (d.read_by <> cast(:parser_fingerprint as text) and d.read_by <> 'given')
  )
  and d.document_id > cast(:after as text)
order by d.document_id
limit cast(:limit as integer)
for no key update of d skip locked
