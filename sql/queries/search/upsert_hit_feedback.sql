-- Stores feedback on one hit. A new verdict replaces the previous one. Other feedback is stored
-- once.
insert into ragline.hit_feedback (request_id, entry_id, kind, document_id, rank, is_useful)
values (
  cast(:request_id as uuid),
  cast(:entry_id as bigint),
  cast(:kind as text),
  cast(:document_id as text),
  cast(:rank as integer),
  cast(:is_useful as boolean)
)
on conflict (request_id, entry_id, kind) do update
set is_useful = excluded.is_useful, given_at = now()
where hit_feedback.is_useful is distinct from excluded.is_useful
