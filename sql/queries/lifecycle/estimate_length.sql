-- Returns one row (average_length): the average number of lexemes in the chunks of some chunkings.
-- It is computed from at most 2,000 chunks.
select coalesce(avg(ragline.lexeme_count(
  ragline.make_lexemes(cast(:language as regconfig), sample.main, sample.added)
)), 1)::double precision as average_length
from (
  select coalesce(a.main, c.header || c.text) as main, a.added
  from ragline.chunks as c
  left join unnest(
    cast(:chunk_ids as bigint[]), cast(:mains as text[]), cast(:addeds as text[])
  ) as a (chunk_id, main, added)
    on a.chunk_id = c.id
  where c.chunking_id = any(cast(:chunking_ids as bigint[]))
  order by c.text_hash
  limit 2000
) as sample
