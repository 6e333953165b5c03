-- Stores a parse. If a parse with this fingerprint is already stored, nothing happens.
insert into ragline.parses (
  fingerprint, parser_fingerprint, file_type, title, language, page_count, text, elements
)
values (
  cast(:fingerprint as text),
  cast(:parser_fingerprint as text),
  cast(:file_type as text),
  cast(:title as text),
  cast(:language as text),
  cast(:page_count as integer),
  cast(:text as text),
  cast(:elements as jsonb)
)
on conflict (fingerprint) do nothing
