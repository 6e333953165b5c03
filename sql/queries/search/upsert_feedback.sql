-- Stores a verdict on one document. A new verdict replaces the previous one.
insert into ragline.feedback (request_id, document_id, is_useful, rank)
values (
  cast(:request_id as uuid),
  cast(:document_id as text),
  cast(:is_useful as boolean),
  cast(:rank as integer)
)
on conflict (request_id, document_id) do update
set is_useful = excluded.is_useful, rank = excluded.rank, given_at = now()
