-- Records that a document was read and which parse it has. The count of attempts is reset for new
-- content, else only when the document is ready. A document that was not waiting (ready or refused)
-- waits from now on: another parser is not a change of the source.
update ragline.documents
set
  state = 'pending',
  noticed_at = case when state in ('pending', 'failed') then noticed_at else now() end,
  read_version = version,
  read_by = cast(:read_by as text),
  attempts = case
    when content_hash is distinct from cast(:content_hash as text) then 0
    else attempts
  end,
  content_hash = cast(:content_hash as text),
  parsed_content_hash = cast(:content_hash as text),
  parse_id = (select p.id from ragline.parses as p where p.fingerprint = cast(:fingerprint as text)),
  own_metadata = cast(:own_metadata as jsonb),
  own_principals = cast(:own_principals as text[]),
  metadata = cast(:metadata as jsonb),
  principals = cast(:principals as text[]),
  attributes_hash = cast(:attributes_hash as text),
  error_name = null,
  error = null,
  next_attempt_at = null
where id = cast(:id as bigint)
