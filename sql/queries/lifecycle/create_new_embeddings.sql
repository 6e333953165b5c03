-- Creates a table for new vectors, which exists until the transaction ends. From there they are
-- inserted into the shared table.
create temporary table new_embeddings (
  text_hash bytea not null,
  embedding halfvec not null
) on commit drop
