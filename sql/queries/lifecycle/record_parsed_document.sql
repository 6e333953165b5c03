-- Records that a document was read, and its parse. New content sets the count of attempts to 0. For
-- equal content, the count is kept until the document is ready. If the document was not pending or
-- failed, its wait starts now. The reason is that a new version of the parser is not a change of
-- the source.
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
