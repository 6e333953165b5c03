-- Inserts an embedding space. If another process inserted it first, nothing happens.
insert into ragline.embedding_spaces (fingerprint, model, dimension, description)
values (
  cast(:fingerprint as text),
  cast(:model as text),
  cast(:dimension as integer),
  cast(:description as jsonb)
)
on conflict (fingerprint) do nothing
