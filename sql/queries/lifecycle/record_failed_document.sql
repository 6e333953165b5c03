-- Records why a document could not be read. In the state `failed`, its last good parse is kept; in
-- other states it loses its parse. The clock stops if the content is refused, because the document
-- cannot become visible.
update ragline.documents
set
  state = cast(:state as text),
  read_version = version,
  read_by = cast(:read_by as text),
  content_hash = coalesce(cast(:content_hash as text), content_hash),
  parse_id = case when cast(:state as text) = 'failed' then parse_id end,
  parsed_content_hash = case when cast(:state as text) = 'failed' then parsed_content_hash end,
  error_name = cast(:error_name as text),
  error = cast(:error as text),
  attempts = cast(:attempts as integer),
  next_attempt_at = now() + cast(:retry_after as interval),
  clock_started_at = case
    when cast(:state as text) = 'failed' and not cast(:is_refusal as boolean) then clock_started_at
  end
where id = cast(:id as bigint)
