-- One row: unread, the documents whose bytes must be read, also those that somebody reads now.
select count(*) as unread
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and (
    (d.state = 'pending' and d.read_version is distinct from d.version)
    or (d.state in ('failed', 'unsupported') and d.next_attempt_at <= now())
    or (d.read_by <> cast(:parser_fingerprint as text) and d.read_by <> 'given')
  )
