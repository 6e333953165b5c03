-- Returns one row for each of some words, in their order. `entry_count` is the number of entries of
-- a generation that contain the word. `is_in_document` and `is_in_chunk` say whether a document and
-- one of its entries contain it. `is_matched` says whether the document contains any of its forms,
-- including parts. An entry contains a word if it contains one of its :equal forms. A word without
-- such a form is counted by its rarest lexeme. A stop word of the language has no row.
select
  w.position::integer as position,
  coalesce(
    (
      select max(l.document_frequency)
      from ragline.lexemes as l
      where l.generation_id = cast(:generation_id as bigint) and l.lexeme = any(q.equal)
    ),
    (
      select min(coalesce(l.document_frequency, 0))
      from unnest(q.main) as m (lexeme)
      left join ragline.lexemes as l
        on l.generation_id = cast(:generation_id as bigint) and l.lexeme = m.lexeme
      where q.equal = '{}'
    ),
    0
  )::bigint as entry_count,
  exists (
    select
    from ragline.entries_generation as e
    where
      e.document_key = cast(:document_key as bigint)
      and e.tsv @@ q.any_equal
  ) as is_in_document,
  exists (
    select
    from ragline.entries_generation as e
    where e.id = cast(:entry_id as bigint) and e.tsv @@ q.any_equal
  ) as is_in_chunk,
  exists (
    select
    from ragline.entries_generation as e
    where e.document_key = cast(:document_key as bigint) and e.tsv @@ q.any_lexeme
  ) as is_matched
from unnest(cast(:words as text[]), cast(:forms as text[]), cast(:equal as text[]))
  with ordinality as w (word, forms, equal, position)
cross join lateral (
  select
    (
      select string_agg(quote_literal(t.lexeme), ' | ')::tsquery
      from unnest(ragline.make_lexemes(cast(:language as regconfig), w.word, w.forms)) as t
    ) as any_lexeme,
    (
      select string_agg(quote_literal(t.lexeme), ' | ')::tsquery
      from unnest(to_tsvector(cast(:language as regconfig), w.equal)) as t
    ) as any_equal,
    tsvector_to_array(to_tsvector(cast(:language as regconfig), w.word)) as main,
    tsvector_to_array(to_tsvector(cast(:language as regconfig), w.equal)) as equal
) as q
where q.any_lexeme is not null
order by w.position
