-- Records that a document was read and which parse its bytes gave.
update ragline.documents
set
  state = 'pending',
  read_version = version,
  read_by = cast(:read_by as text),
  content_hash = cast(:content_hash as text),
  parsed_content_hash = cast(:content_hash as text),
  parse_id = (select p.id from ragline.parses as p where p.fingerprint = cast(:fingerprint as text)),
  metadata = cast(:metadata as jsonb),
  error_name = null,
  error = null,
  attempts = 0,
  next_attempt_at = null
where id = cast(:id as bigint)
