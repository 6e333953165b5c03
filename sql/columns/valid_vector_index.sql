-- Columns of the valid vector index of a generation g, as a query: its parameters and its size in
-- bytes. Without such an index, the query has no row.
  select
    coalesce(i.reloptions, '{}') as parameters,
    pg_relation_size(i.oid) as size_bytes
  from pg_class as i
  join pg_index as x on x.indexrelid = i.oid
  where i.oid = to_regclass('ragline.entries_' || g.id || '_embedding_idx') and x.indisvalid
