-- Lets the next look at a source start a sync, whatever its probe says.
update ragline.sources
set listed_probe = null
where id = cast(:source_id as bigint)
