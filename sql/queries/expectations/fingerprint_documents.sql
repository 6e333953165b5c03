-- Returns one row (fingerprint): a hash of the rows of expectations/select_documents for a source.
-- The hash does not cover every column. If the covered columns are unchanged, the hash is
-- unchanged.
select
  md5(coalesce(string_agg(row_text, E'\x1e' order by row_text), '')) as fingerprint
from (
  select
    concat_ws(
      E'\x1f',
      d.document_id,
      -- A document that becomes ready must not change the hash.
      case when d.state in ('pending', 'ready') then 'readable' else d.state end,
      coalesce(d.content_hash, ''),
      coalesce(d.parsed_content_hash, ''),
      coalesce(p.fingerprint, '')
    ) as row_text
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  left join ragline.parses as p on p.id = d.parse_id
  where s.name = cast(:source as text) and d.state not in ('missing', 'removed')
) as seen
