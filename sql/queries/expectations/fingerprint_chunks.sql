-- Returns one row (fingerprint): a hash of the rows of expectations/select_chunks for a source. The
-- hash does not cover every column. If the covered columns are unchanged, the hash is unchanged.
select
  md5(coalesce(string_agg(row_text, E'\x1e' order by row_text), '')) as fingerprint
from (
  select
    concat_ws(
      E'\x1f', d.document_id, p.fingerprint, k.chunker_fingerprint, k.chunk_count::text,
      g.most_tokens::text
    ) as row_text
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  join ragline.parses as p on p.id = d.parse_id
  join ragline.chunkings as k on k.parse_id = d.parse_id
  join lateral (
    select max((e.description ->> 'max_tokens')::integer) as most_tokens
    from ragline.generations as g
    join ragline.embedding_spaces as e on e.id = g.embedding_space_id
    where
      g.collection_id = s.collection_id
      and g.chunker_fingerprint = k.chunker_fingerprint
      and g.state not in ('refused', 'dropped')
  ) as g on g.most_tokens is not null
  where s.name = cast(:source as text) and d.state not in ('missing', 'removed')
) as seen
