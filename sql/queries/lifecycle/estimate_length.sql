-- The average number of lexemes in the chunks of some documents, from at most 2,000 of them.
select coalesce(avg(ragline.lexeme_count(
  to_tsvector(cast(:language as regconfig), sample.text)
)), 1)::double precision as average_length
from (
  select c.header || c.text as text
  from ragline.chunks as c
  where c.chunking_id = any(cast(:chunking_ids as bigint[]))
  order by c.text_hash
  limit 2000
) as sample
