-- Returns the documents of a source with the columns that the expectations check. No column
-- contains text of a document.
select
  d.document_id,
  d.state,
  d.content_hash,
  d.parsed_content_hash,
  length(btrim(p.text, E' \t\r\n')) as text_chars,
  -- The language of records is not detected, because the source returns them as text.
  case
    when d.parse_id is not null and p.file_type <> 'record' then coalesce(p.language, 'unknown')
  end as language,
  case
    when d.parse_id is null then null
    when p.text ~ '(Ã[\u0080-\u00bf]|â€[œ™¦]|ï»¿|\ufffd)' then 'yes'
    else 'no'
  end as mojibake
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
left join ragline.parses as p on p.id = d.parse_id
where s.name = cast(:source as text) and d.state not in ('missing', 'removed')
