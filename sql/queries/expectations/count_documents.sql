-- Returns one row for each expectation on the documents of a source: (name, judged, unexpected). A
-- row with null in a column of the expectation is not judged. The counts are those of Great
-- Expectations.
with expected as materialized (
{rows/expected_documents}
),
totals as (
  select
    count(*) as documents,
    count(text_chars) as texts,
    count(*) filter (where text_chars < 1) as blank,
    count(parsed_content_hash) as hashes,
    count(*) filter (where length(parsed_content_hash) <> 64) as odd_hashes,
    count(*) filter (where state in ('failed', 'quarantined', 'unsupported')) as unreadable,
    count(mojibake) as decoded,
    count(*) filter (where mojibake = 'yes') as wrongly_decoded,
    count(language) as detected,
    count(*) filter (where language = 'unknown') as unknown,
    count(content_hash) as contents
  from expected
),
repeated as (
  select
    (
      select sum(n)
      from (select count(*) as n from expected group by document_id) as same
      where n > 1
    ) as ids,
    (
      select sum(n)
      from (
        select count(*) as n from expected where content_hash is not null group by content_hash
      ) as same
      where n > 1
    ) as contents
)
select counted.name, counted.judged, coalesce(counted.unexpected, 0)::bigint as unexpected
from totals as t
cross join repeated as r
cross join lateral (
  values
  ('document_ids_are_unique', t.documents, r.ids),
  ('read_documents_have_text', t.texts, t.blank),
  ('read_documents_have_a_hash', t.hashes, t.odd_hashes),
  ('most_documents_are_readable', t.documents, t.unreadable),
  ('text_is_free_of_mojibake', t.decoded, t.wrongly_decoded),
  ('language_is_known', t.detected, t.unknown),
  ('contents_are_rarely_repeated', t.contents, r.contents)
) as counted (name, judged, unexpected)
