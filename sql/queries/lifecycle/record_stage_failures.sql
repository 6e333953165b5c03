-- Records for some documents that they could not be chunked or indexed. Each document has its own
-- state, attempts and delay.
update ragline.documents as d
set
  state = t.state,
  parse_id = case when t.state = 'failed' then d.parse_id end,
  parsed_content_hash = case when t.state = 'failed' then d.parsed_content_hash end,
  error_name = cast(:error_name as text),
  error = cast(:error as text),
  attempts = t.attempts,
  next_attempt_at = now() + t.retry_after,
  clock_started_at = case when t.state = 'failed' then d.clock_started_at end
from unnest(
  cast(:ids as bigint[]), cast(:states as text[]), cast(:attempts as integer[]),
  cast(:retry_after as interval[])
) as t (id, state, attempts, retry_after)
where d.id = t.id
