-- Ends the missing documents that no generation holds any more; the row count is how many.
update ragline.documents as d
set state = 'removed', removed_at = clock_timestamp()
where
  d.source_id = cast(:source_id as bigint)
  and d.missing_since is not null
  and d.state <> 'removed'
  and not exists (
    select
    from ragline.placements as p
    join ragline.generations as g on g.id = p.generation_id
    where p.document_key = d.id and g.state <> 'dropped'
  )
