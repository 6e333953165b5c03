-- Returns one row: the mean vector of the entries :vector_ids (embedding), which is null without
-- entries, and the :term_count heaviest terms of the entries :keyword_ids, heaviest first: lexemes,
-- their document frequencies, and their weights. The weight of a term is its mean stored weight in
-- these entries, times its inverse document frequency. A term is left out if only one of these entries
-- has it, or if it is an added form of a word.
with stored as materialized (
  select
    split_part(p.pair, ':', 1)::integer as dimension,
    sum(split_part(p.pair, ':', 2)::double precision)
      / cardinality(cast(:keyword_ids as bigint[])) as weight
  from ragline.entries_generation as e
  cross join lateral string_to_table(
    split_part(substr(e.lexical::text, 2), '}', 1), ','
  ) as p (pair)
  where e.id = any(cast(:keyword_ids as bigint[])) and p.pair <> ''
  group by split_part(p.pair, ':', 1)
),
terms as materialized (
  select t.lexeme, ragline.lexeme_dimension(t.lexeme) as dimension
  from ragline.entries_generation as e
  cross join lateral unnest(e.tsv) as t
  where e.id = any(cast(:keyword_ids as bigint[])) and t.weights[1] <> 'A'
  group by t.lexeme
  having count(*) > 1
),
heaviest as (
  select
    t.lexeme,
    l.document_frequency,
    s.weight * ragline.bm25_idf(g.entry_count, l.document_frequency) as weight
  from terms as t
  join stored as s on s.dimension = t.dimension
  join ragline.generations as g on g.id = cast(:generation_id as bigint)
  join ragline.lexemes as l
    on l.generation_id = cast(:generation_id as bigint) and l.lexeme = t.lexeme
  order by weight desc, t.lexeme
  limit cast(:term_count as integer)
)
select
  (
    select avg(e.embedding)
    from ragline.entries_generation as e
    where e.id = any(cast(:vector_ids as bigint[]))
  ) as embedding,
  coalesce(array_agg(h.lexeme order by h.weight desc, h.lexeme), '{}') as lexemes,
  coalesce(array_agg(h.document_frequency order by h.weight desc, h.lexeme), '{}') as frequencies,
  coalesce(array_agg(h.weight order by h.weight desc, h.lexeme), '{}') as weights
from heaviest as h
