-- Returns one row: a generation of a collection with its fingerprints. If :generation_id is null, it
-- is the live generation. content_fingerprint identifies its entries and everything else in its
-- table that the scores of a search depend on. parser_fingerprints has the parsers that read its
-- documents, sorted. Returns no row if there is no such generation, or if it has no table.
select
  g.id,
  e.fingerprint as space_fingerprint,
  g.chunker_fingerprint,
  array(
    select distinct p.parser_fingerprint
    from ragline.placements as m
    join ragline.chunkings as k on k.id = m.chunking_id
    join ragline.parses as p on p.id = k.parse_id
    where m.generation_id = g.id
    order by p.parser_fingerprint
  ) as parser_fingerprints,
  (
    select md5(
      concat_ws(
        ':',
        string_agg(m.document_key || '=' || m.chunking_id, ',' order by m.document_key),
        g.weighted_length,
        hnsw.parameters is not null
      )
    )
    from ragline.placements as m
    where m.generation_id = g.id
  ) as content_fingerprint
from ragline.collections as c
join ragline.generations as g on g.collection_id = c.id
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
left join lateral (
{columns/valid_vector_index}
) as hnsw on true
where
  c.name = cast(:collection as text)
  and g.id = coalesce(cast(:generation_id as bigint), c.live_generation_id)
  and g.state in ('building', 'candidate', 'live', 'retired')
