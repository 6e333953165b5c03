-- Clears the stored probe of a source, so that the next probe starts a sync.
update ragline.sources
set listed_probe = null
where id = cast(:source_id as bigint)
