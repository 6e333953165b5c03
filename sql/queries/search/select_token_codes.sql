-- Returns the token codes of some entries, in any order. The codes are null if the text has none. The
-- column `text` is then the text that was embedded, and null otherwise.
select
  e.id,
  t.codes,
  case when t.codes is null then e.header || e.text end as text
from ragline.entries_generation as e
left join ragline.token_codes as t
  on t.embedding_space_id = (
    select s.id
    from ragline.embedding_spaces as s
    where s.fingerprint = cast(:space_fingerprint as text)
  )
  and t.text_hash = e.text_hash
where e.id = any(cast(:ids as bigint[]))
