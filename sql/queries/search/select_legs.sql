-- Runs both legs of a search. It returns one row. `keyword_ids` and `vector_ids` are the entries that
-- each leg found, best first, at most :depth of them. Entries with equal scores are ordered by id.
-- `keyword_scores` (BM25) and `vector_scores` (cosine similarity) are their scores, in the same
-- order. A leg that found nothing, or that is not asked for, has empty values. `best_keyword_score`
-- is the largest BM25 that any text can have for this query: a query word that the index lacks
-- counts too. The condition of the search replaces the marked condition. `ragline.search.fusion`
-- reads the row and fuses the legs.
--
-- Each of the four values consists of the 8 bytes of each number, big end first. So Python reads them
-- without a loop, also if the row has the scores of all entries.
--
-- A candidate of the keyword leg contains at least one of the rarest query terms. The rarest terms
-- are those that together have at most :keyword_bound entries. All terms contribute to the score.
-- Added forms of a query word have the weight :form_weight. If a word does not occur in the index, its
-- :whole_forms have the weight 1. An entry with principals is found only with one of :principals. If
-- :principals is null, all entries are found.
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
    coalesce(l.document_frequency, 0) as document_frequency
  from unnest(
    ragline.make_lexemes(
      cast(:language as regconfig), cast(:query as text), cast(:query_forms as text)
    )
  ) as q
  left join ragline.lexemes as l
    on l.generation_id = cast(:generation_id as bigint) and l.lexeme = q.lexeme
),
terms as materialized (
  select
    a.lexeme,
    ragline.bm25_idf(cast(:entry_count as bigint), a.document_frequency) * case
      when a.is_added and not (w.is_missing and a.is_whole) then cast(:form_weight as double precision)
      else 1
    end as idf,
    sum(a.document_frequency) over (order by a.document_frequency, a.lexeme) as summed,
    row_number() over (order by a.document_frequency, a.lexeme) as rarity
  from query_terms as a
  cross join (
    select coalesce(bool_or(document_frequency = 0 and not is_added), false) as is_missing
    from query_terms
  ) as w
  where a.document_frequency > 0
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
    cast(:has_keyword_leg as boolean)
    and e.tsv @@ (select any_term from rare)
    and (
      cast(:principals as text[]) is null
      or e.principals is null
      or e.principals && cast(:principals as text[])
    )
    and true /* filter */
  order by score desc, e.id
  limit cast(:depth as integer)
),
vector_leg as materialized (
  select
    e.id,
    1 - (e.embedding <=> cast(:embedding as halfvec)) as score
  from ragline.entries_generation as e
  where
    cast(:has_vector_leg as boolean)
    and (
      cast(:principals as text[]) is null
      or e.principals is null
      or e.principals && cast(:principals as text[])
    )
    and true /* filter */
  order by e.embedding <=> cast(:embedding as halfvec)
  limit cast(:depth as integer)
)
select
  -- The factor is the largest weight of a term in `ragline.bm25_term_weights`.
  case when cast(:has_keyword_leg as boolean) then (
    select 2.2 * sum(ragline.bm25_idf(cast(:entry_count as bigint), document_frequency))
    from query_terms
    where not is_added
  ) end as best_keyword_score,
  k.ids as keyword_ids,
  k.scores as keyword_scores,
  v.ids as vector_ids,
  v.scores as vector_scores
from (
  select
    coalesce(string_agg(int8send(id), '' order by score desc, id), '') as ids,
    coalesce(string_agg(float8send(score), '' order by score desc, id), '') as scores
  from keyword_leg
) as k
cross join (
  select
    coalesce(string_agg(int8send(id), '' order by score desc, id), '') as ids,
    coalesce(string_agg(float8send(score), '' order by score desc, id), '') as scores
  from vector_leg
) as v
