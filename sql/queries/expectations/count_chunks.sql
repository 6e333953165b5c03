-- Returns one row for each expectation on the chunks of a source: (name, judged, unexpected). A row
-- with null in a column of the expectation is not judged. The counts are those of Great
-- Expectations.
with expected as materialized (
{rows/expected_chunks}
),
totals as (
  select
    count(*) as chunks,
    count(text_chars) as texts,
    count(*) filter (where text_chars < 1) as blank,
    count(token_count) as counted,
    count(*) filter (where token_count > most_tokens) as too_long,
    count(*) filter (where token_count < 8) as tiny,
    count(*) filter (where offset_chars <> text_chars) as displaced,
    count(*) filter (where mojibake = 'yes') as wrongly_decoded,
    count(text_hash) as hashes
  from expected
),
repeated as (
  select
    (
      select sum(n)
      from (
        select count(*) as n from expected where ordinal is not null
        group by document_key, ordinal
      ) as same
      where n > 1
    ) as numbers,
    (
      select sum(n)
      from (select count(*) as n from expected where text_hash is not null group by text_hash)
        as same
      where n > 1
    ) as texts,
    (
      select count(*)
      from (
        select from expected group by document_key, chunk_count
        having count(ordinal) <> chunk_count
      ) as incomplete
    ) as incomplete
)
select counted.name, counted.judged, coalesce(counted.unexpected, 0)::bigint as unexpected
from totals as t
cross join repeated as r
cross join lateral (
  values
  ('chunks_have_text', t.texts, t.blank),
  ('chunks_fit_the_model', t.counted, t.too_long),
  ('chunks_are_numbered_once', t.chunks, r.numbers),
  ('no_chunk_is_missing', t.chunks, r.incomplete),
  ('offsets_enclose_the_text', t.texts, t.displaced),
  ('chunk_text_is_free_of_mojibake', t.chunks, t.wrongly_decoded),
  ('chunks_are_rarely_repeated', t.hashes, r.texts),
  ('chunks_are_rarely_tiny', t.counted, t.tiny)
) as counted (name, judged, unexpected)
