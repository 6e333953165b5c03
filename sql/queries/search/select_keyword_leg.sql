-- Returns one row (ids, scores, best_score): the entries of a generation that contain the words of a
-- query, best first, at most :depth. Entries with equal scores are ordered by id. A score is a BM25.
-- `best_score` is the largest BM25 that any text can have for this query: a query word that the index
-- lacks counts too. It is null if the query has no word. The condition of the search replaces the
-- marked condition. `ragline.search.legs` reads the row.
--
-- `ids` and `scores` consist of the 8 bytes of each number, big end first. So Python reads them
-- without a loop, also if the row has all entries. Without an entry, they are empty.
--
-- An entry is found if it contains at least one of the rarest query terms. The rarest terms are those
-- that together have at most :keyword_bound entries. All terms contribute to the score. Added forms
-- of a query word have the weight :form_weight. If a word does not occur in the index, its
-- :whole_forms have the weight 1. An entry with principals is found only with one of :principals. If
-- :principals is null, all entries are found.
--
-- In a feedback pass, the words of the query have the weight :query_share, and :feedback_lexemes are
-- further terms, with their document frequencies and weights. They count like words of the query.
with query_terms as materialized (
  select
    q.lexeme,
    q.weights[1] = 'A' as is_added,
    q.lexeme in (
      select
        unnest(
          tsvector_to_array(
            to_tsvector(cast(:language as regconfig), cast(:whole_forms as text))
          )
        )
    ) as is_whole,
    coalesce(l.document_frequency, 0) as document_frequency,
    g.entry_count
  from unnest(
    ragline.make_lexemes(
      cast(:language as regconfig), cast(:query as text), cast(:query_forms as text)
    )
  ) as q
  join ragline.generations as g on g.id = cast(:generation_id as bigint)
  left join ragline.lexemes as l
    on l.generation_id = cast(:generation_id as bigint) and l.lexeme = q.lexeme
),
feedback_terms as materialized (
  select f.lexeme, f.document_frequency, f.weight
  from unnest(
    cast(:feedback_lexemes as text[]),
    cast(:feedback_frequencies as bigint[]),
    cast(:feedback_weights as double precision[])
  ) as f (lexeme, document_frequency, weight)
),
weighted_terms as materialized (
  select
    a.lexeme,
    a.document_frequency,
    cast(:query_share as double precision)
      * ragline.bm25_idf(a.entry_count, a.document_frequency) * case
      when a.is_added and not (w.is_missing and a.is_whole) then cast(:form_weight as double precision)
      else 1
    end as weight
  from query_terms as a
  cross join (
    select coalesce(bool_or(document_frequency = 0 and not is_added), false) as is_missing
    from query_terms
  ) as w
  where a.document_frequency > 0
  union all
  select lexeme, document_frequency, weight
  from feedback_terms
),
terms as materialized (
  select
    lexeme,
    sum(weight) as idf,
    sum(max(document_frequency)) over (order by max(document_frequency), lexeme) as summed,
    row_number() over (order by max(document_frequency), lexeme) as rarity
  from weighted_terms
  group by lexeme
),
weights as materialized (
  select ('{' || string_agg(dimension || ':' || idf, ',' order by dimension) || '}/268435456')
    ::sparsevec as idf
  from (
    select ragline.lexeme_dimension(lexeme) as dimension, max(idf)::real as idf
    from terms
    group by ragline.lexeme_dimension(lexeme)
  ) as by_dimension
),
rare as materialized (
  select string_agg(quote_literal(lexeme), ' | ')::tsquery as any_term
  from terms
  where summed <= cast(:keyword_bound as bigint) or rarity = 1
),
keyword_leg as materialized (
  select
    e.id,
    -(e.lexical <#> (select idf from weights)) as score
  from ragline.entries_generation as e
  where
    e.tsv @@ (select any_term from rare)
    and (
      cast(:principals as text[]) is null
      or e.principals is null
      or e.principals && cast(:principals as text[])
    )
    and true /* filter */
  order by score desc, e.id
  limit cast(:depth as integer)
)
select
  coalesce(string_agg(int8send(k.id), '' order by k.score desc, k.id), '') as ids,
  coalesce(string_agg(float8send(k.score), '' order by k.score desc, k.id), '') as scores,
  -- The factor is the largest weight of a term in `ragline.bm25_term_weights`.
  (
    select 2.2 * (
      cast(:query_share as double precision)
        * sum(ragline.bm25_idf(q.entry_count, q.document_frequency))
      + (select coalesce(sum(weight), 0) from feedback_terms)
    )
    from query_terms as q
    where not q.is_added
  ) as best_score
from keyword_leg as k
