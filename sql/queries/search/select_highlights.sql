-- The texts of some entries with marks around the words of a query: (id, marked). Marks are the
-- characters U+0002 and U+0003.
select
  e.id,
  ts_headline(
    cast(:language as regconfig),
    e.text,
    q.any_word,
    'HighlightAll=true, StartSel=' || chr(2) || ', StopSel=' || chr(3)
  ) as marked
from ragline.entries_generation as e
cross join (
  select string_agg(quote_literal(w.lexeme), ' | ')::tsquery as any_word
  from unnest(to_tsvector(cast(:language as regconfig), cast(:query as text))) as w
) as q
where e.id = any(cast(:ids as bigint[])) and q.any_word is not null
