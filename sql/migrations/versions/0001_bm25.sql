-- BM25 by sparse vectors: a chunk holds its saturated term weights, a query its IDF weights,
-- and their inner product is the score. Robertson and Zaragoza, "The Probabilistic Relevance
-- Framework: BM25 and Beyond", 2009, equations 3.14 and 3.16.

-- The dimension of a lexeme: 28 bits of its MD5, 1 to 2^28. Stable across versions of Postgres.
create function ragline.lexeme_dimension(lexeme text)
returns integer
language sql immutable strict parallel safe
return ('x' || left(md5(lexeme), 7))::bit(28)::integer + 1;

-- The number of lexeme occurrences in a text, which BM25 takes for its length.
create function ragline.lexeme_count(tsv tsvector)
returns integer
language sql immutable strict parallel safe
return (select coalesce(sum(cardinality(positions)), 0)::integer from unnest(tsv));

-- The weight of each term of one chunk: tf (k1 + 1) / (tf + k1 (1 - b + b length / average)).
-- k1 = 1.2 and b = 0.75 are the usual choice; benchmarks/README.md shows what others give.
create function ragline.bm25_term_weights(
  tsv tsvector,
  length integer,
  average_length double precision
)
returns sparsevec
language sql immutable strict parallel safe
return (
  select ('{' || coalesce(string_agg(dimension || ':' || weight, ',' order by dimension), '')
    || '}/268435456')::sparsevec
  from (
    select
      ragline.lexeme_dimension(lexeme) as dimension,
      sum(
        cardinality(positions) * 2.2
        / (cardinality(positions) + 1.2 * (0.25 + 0.75 * length / greatest(average_length, 1)))
      )::real as weight
    from unnest(tsv)
    group by ragline.lexeme_dimension(lexeme)
  ) as terms
);

-- How much a lexeme tells: ln(1 + (n - df + 1/2) / (df + 1/2)), never negative.
create function ragline.bm25_idf(entry_count bigint, document_frequency bigint)
returns double precision
language sql immutable strict parallel safe
return ln(1 + (greatest(entry_count, document_frequency) - document_frequency + 0.5)
  / (document_frequency + 0.5));
