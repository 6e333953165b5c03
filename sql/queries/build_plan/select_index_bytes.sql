-- One row: the bytes of a generation's table with all its indexes, and those of its vector index.
select
  pg_total_relation_size('ragline.entries_generation') as bytes,
  coalesce(pg_relation_size(to_regclass('ragline.entries_generation_embedding_idx')), 0)
    as vector_index_bytes
