-- Creates a table for new vectors and token codes, which exists until the transaction ends. From
-- there they are inserted into the shared tables. The codes are null if the space has no rotation.
create temporary table new_embeddings (
  text_hash bytea not null,
  embedding halfvec not null,
  codes bytea
) on commit drop
