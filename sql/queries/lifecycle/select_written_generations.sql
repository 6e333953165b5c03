-- Returns the open generations of a collection, oldest first, with their counts and the columns of
-- their tables: columns is an array of (name, type) pairs. If :source is not null, the counts are
-- those of the documents of this source. If :generation_id is not null, only this generation is
-- returned.
select
  g.id as generation,
  g.state,
  e.fingerprint as space_fingerprint,
  g.chunker_fingerprint,
  rtrim(g.language) as language,
  counts.documents,
  counts.entries,
  (
    select coalesce(
      jsonb_agg(
        jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum
      ),
      '[]'::jsonb
    )
    from pg_attribute as a
    where
      a.attrelid = to_regclass('ragline.entries_' || g.id)
      and a.attnum > 0
      and not a.attisdropped
  ) as columns
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
cross join lateral (
  select
    count(*) filter (where p.entry_count > 0) as documents,
    coalesce(sum(p.entry_count), 0)::bigint as entries
  from ragline.placements as p
  join ragline.documents as d on d.id = p.document_key
  join ragline.sources as s on s.id = d.source_id
  where
    p.generation_id = g.id
    and (cast(:source as text) is null or s.name = cast(:source as text))
) as counts
where
  c.name = cast(:collection as text)
  and g.state in ('building', 'candidate', 'live', 'retired')
  and (cast(:generation_id as bigint) is null or g.id = cast(:generation_id as bigint))
order by g.id
