-- Counts a generation's entries and lexemes again, from its table of entries.
with counted as (
  insert into ragline.lexemes (generation_id, lexeme, document_frequency)
  select cast(:generation_id as bigint), t.lexeme, count(*)
  from ragline.entries_generation as e, unnest(e.tsv) as t
  group by t.lexeme
),
totals as (
  select count(*) as entries, coalesce(sum(ragline.lexeme_count(tsv)), 0) as lexemes
  from ragline.entries_generation
)
update ragline.generations as g
set entry_count = totals.entries, lexeme_count = totals.lexemes
from totals
where g.id = cast(:generation_id as bigint)
