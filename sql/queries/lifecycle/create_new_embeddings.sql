-- Returns nothing; embeddings on their way into the shared table.
create temporary table new_embeddings (
  text_hash bytea not null,
  embedding halfvec not null
) on commit drop
