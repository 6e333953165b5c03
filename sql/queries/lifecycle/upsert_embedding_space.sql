-- The key of an embedding space, made when it is new. One row: id.
insert into ragline.embedding_spaces (fingerprint, model, dimension, description)
values (
  cast(:fingerprint as text),
  cast(:model as text),
  cast(:dimension as integer),
  cast(:description as jsonb)
)
on conflict (fingerprint) do update set fingerprint = excluded.fingerprint
returning id
