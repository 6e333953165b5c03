-- Returns nothing; a table for new vectors before they are inserted into the shared table.
create temporary table new_embeddings (
  text_hash bytea not null,
  embedding halfvec not null
) on commit drop
