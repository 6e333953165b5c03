-- Returns the keys of a collection's documents whose change a sync has not completed for a
-- generation: the live generation does not contain the change either, or a sync has written the
-- document to another generation, and no sync of the source was complete since then.
select d.id
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
left join lateral (
  select min(r.started_at) as started_at
  from ragline.source_syncs as r
  where
    r.source_id = s.id
    and r.started_at > coalesce(
      (
        select max(f.started_at)
        from ragline.source_syncs as f
        where f.source_id = s.id and f.finished_at is not null
      ),
      '-infinity'
    )
) as unfinished on true
where
  c.name = cast(:collection as text)
  and (
    d.state in ('pending', 'missing')
    or exists (
      select
      from ragline.placements as p
      where
        p.document_key = d.id
        and p.generation_id <> cast(:generation_id as bigint)
        and p.placed_at >= unfinished.started_at
    )
  )
