-- For each of some words, in their order: how many entries of a generation have it, and whether a
-- document and one of its entries do. A word that the language leaves out has no row.
select
  w.position::integer as position,
  coalesce(
    (
      select max(l.document_frequency)
      from ragline.lexemes as l
      where l.generation_id = cast(:generation_id as bigint) and l.lexeme = any(q.lexemes)
    ),
    0
  ) as entry_count,
  exists (
    select
    from ragline.entries_generation as e
    where e.document_key = cast(:document_key as bigint) and e.tsv @@ q.any_lexeme
  ) as is_in_document,
  exists (
    select
    from ragline.entries_generation as e
    where e.id = cast(:entry_id as bigint) and e.tsv @@ q.any_lexeme
  ) as is_in_chunk
from unnest(cast(:words as text[]), cast(:forms as text[]))
  with ordinality as w (word, forms, position)
cross join lateral (
  select
    array_agg(t.lexeme) as lexemes,
    string_agg(quote_literal(t.lexeme), ' | ')::tsquery as any_lexeme
  from unnest(ragline.make_lexemes(cast(:language as regconfig), w.word, w.forms)) as t
) as q
where q.any_lexeme is not null
order by w.position
