-- Returns the analysed texts of some entries with marks around the words of a query: (id, marked).
-- The marks are the characters U+0002 and U+0003.
select
  t.id,
  ts_headline(
    cast(:language as regconfig),
    t.text,
    q.any_word,
    'HighlightAll=true, StartSel=' || chr(2) || ', StopSel=' || chr(3)
  ) as marked
from unnest(cast(:ids as bigint[]), cast(:texts as text[])) as t (id, text)
cross join (
  select string_agg(quote_literal(w.lexeme), ' | ')::tsquery as any_word
  from unnest(
    ragline.make_lexemes(
      cast(:language as regconfig), cast(:query as text), cast(:query_forms as text)
    )
  ) as w
) as q
where q.any_word is not null
