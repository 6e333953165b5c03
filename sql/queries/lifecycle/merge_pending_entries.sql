-- Merges the pending lists of a generation's GIN indexes. Until then, or until the next vacuum,
-- every search reads these lists to their end. One row: the number of pages merged.
select
  coalesce(gin_clean_pending_list(to_regclass('ragline.entries_generation_tsv_idx')), 0)
  + coalesce(gin_clean_pending_list(to_regclass('ragline.entries_generation_metadata_idx')), 0)
  as pages
