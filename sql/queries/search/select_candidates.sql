-- The complete hybrid search. It returns the entries of a generation by fused score, best first.
-- Entries with equal scores are ordered by vector score and then by id. A row has the id and the
-- fused score. It has the cosine similarity (vector_score), BM25 (keyword_score), the rank in each
-- leg, and the part of the fused score from each leg. It also has the rank by the fused score, and
-- the number of candidates of the vector leg. The condition of the search replaces the marked
-- condition. With :document_keys, only the entries of these documents are returned, with their
-- ranks among all entries.
--
-- The scores of each leg are scaled to 0…1 between the first and the :scale_depth-th candidate.
-- Then they are added with their weights (convex fusion; Bruch, Gai and Ingber, "An Analysis of
-- Fusion Functions for Hybrid Retrieval", 2023). In a mode with one leg, the weight of the other
-- leg is 0, and that leg is not run. A candidate of the keyword leg contains at least one of the
-- rarest query terms. The rarest terms are those that together have at most :keyword_bound entries.
-- All terms contribute to the score. Added forms of a query word have the weight :form_weight. If a
-- word does not occur in the index, its :whole_forms have the weight 1. An entry with principals is
-- found only with one of :principals. If :principals is null, all entries are found.
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
    cast(:keyword_weight as double precision) > 0
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
    cast(:vector_weight as double precision) > 0
    and (
      cast(:principals as text[]) is null
      or e.principals is null
      or e.principals && cast(:principals as text[])
    )
    and true /* filter */
  order by e.embedding <=> cast(:embedding as halfvec)
  limit cast(:depth as integer)
),
ranked as (
  select
    id,
    score,
    'keyword' as leg,
    row_number() over (order by score desc, id) as rank
  from keyword_leg
  union all
  select
    id,
    score,
    'vector',
    row_number() over (order by score desc, id)
  from vector_leg
),
scales as (
  select
    leg,
    max(score) as high,
    min(score) filter (where rank <= cast(:scale_depth as integer)) as low
  from ranked
  group by leg
),
scaled as (
  select
    r.id,
    r.leg,
    r.score,
    r.rank,
    case
      when s.high > s.low then greatest((r.score - s.low) / (s.high - s.low), 0)
      else 1
    end * case r.leg
      when 'vector' then cast(:vector_weight as double precision)
      else cast(:keyword_weight as double precision)
    end as share
  from ranked as r
  join scales as s on s.leg = r.leg
),
fused as (
  select
    id,
    sum(share) as score,
    max(score) filter (where leg = 'vector') as vector_score,
    max(score) filter (where leg = 'keyword') as keyword_score,
    max(rank) filter (where leg = 'vector') as vector_rank,
    max(rank) filter (where leg = 'keyword') as keyword_rank,
    max(share) filter (where leg = 'vector') as vector_part,
    max(share) filter (where leg = 'keyword') as keyword_part,
    row_number() over (
      order by sum(share) desc, max(score) filter (where leg = 'vector') desc nulls last, id
    ) as rank
  from scaled
  group by id
)
select
  f.id,
  f.score,
  f.vector_score,
  f.keyword_score,
  f.vector_rank,
  f.keyword_rank,
  f.vector_part,
  f.keyword_part,
  f.rank,
  (select count(*) from vector_leg) as vector_found
from fused as f
where
  cast(:document_keys as bigint[]) is null
  or f.id in (
    select e.id
    from ragline.entries_generation as e
    where e.document_key = any(cast(:document_keys as bigint[]))
  )
order by f.rank
limit cast(:limit as integer)
