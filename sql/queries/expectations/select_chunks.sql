-- Returns the chunks of a source in every generation that is not dropped, with the columns that the
-- expectations check.
select
  d.id::text || ' ' || k.id::text as document_key,
  k.chunk_count,
  c.ordinal,
  length(c.text) as text_chars,
  c.char_end - c.char_start as offset_chars,
  c.token_count,
  g.most_tokens,
  encode(c.text_hash, 'hex') as text_hash,
  case
    when c.text ~ '(Ã[\u0080-\u00bf]|â€[œ™¦]|ï»¿|\ufffd)' then 'yes'
    else 'no'
  end as mojibake
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.chunkings as k on k.parse_id = d.parse_id
left join ragline.chunks as c on c.chunking_id = k.id
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
