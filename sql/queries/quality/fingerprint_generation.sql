-- Returns one row (fingerprint): a value that identifies the content of a collection's live
-- generation. Returns no row if there is no live generation.
select
  g.id::text || ':' || (
    select md5(coalesce(string_agg(p.document_key || '=' || p.chunking_id, ',' order by p.document_key), ''))
    from ragline.placements as p
    where p.generation_id = g.id
  ) as fingerprint
from ragline.collections as c
join ragline.generations as g on g.id = c.live_generation_id
where c.name = cast(:collection as text)
