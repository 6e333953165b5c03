-- Returns the positions of those forms of words that a document contains, in order. The first
-- position is 1.
select w.position::integer as position
from unnest(cast(:forms as text[])) with ordinality as w (form, position)
cross join lateral (
  select string_agg(quote_literal(t.lexeme), ' | ')::tsquery as any_lexeme
  from unnest(to_tsvector(cast(:language as regconfig), w.form)) as t
) as q
where exists (
  select
  from ragline.entries_generation as e
  where e.document_key = cast(:document_key as bigint) and e.tsv @@ q.any_lexeme
)
order by w.position
