-- Notes that a source was listed to its end.
update ragline.sources
set listed_at = now()
where id = cast(:source_id as bigint)
