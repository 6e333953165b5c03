-- Merges the pending lists of a generation's GIN indexes into these indexes. Before that, every
-- search reads the complete lists. Returns one row (pages): the number of merged pages.
select
  coalesce(gin_clean_pending_list(to_regclass('ragline.entries_generation_tsv_idx')), 0)
  + coalesce(gin_clean_pending_list(to_regclass('ragline.entries_generation_metadata_idx')), 0)
  as pages
