-- Deletes the entries of some documents from a generation, and subtracts their lexemes from the
-- generation's counts. Returns one row (deleted): the number of entries.
with deleted as (
  delete from ragline.entries_generation
  where document_key = any(cast(:document_keys as bigint[]))
  returning tsv
),
terms as (
  select t.lexeme, count(*) as frequency
  from deleted, unnest(deleted.tsv) as t
  group by t.lexeme
),
lowered as (
  update ragline.lexemes as l
  set document_frequency = l.document_frequency - terms.frequency
  from terms
  where
    l.generation_id = cast(:generation_id as bigint)
    and l.lexeme = terms.lexeme
    and l.document_frequency > terms.frequency
),
-- A lexeme that no entry has any more is deleted, because it is part of a removed text.
removed as (
  delete from ragline.lexemes as l
  using terms
  where
    l.generation_id = cast(:generation_id as bigint)
    and l.lexeme = terms.lexeme
    and l.document_frequency <= terms.frequency
),
totals as (
  select count(*) as entries, coalesce(sum(ragline.lexeme_count(tsv)), 0) as lexemes
  from deleted
)
update ragline.generations as g
set
  entry_count = g.entry_count - totals.entries,
  lexeme_count = g.lexeme_count - totals.lexemes
from totals
where g.id = cast(:generation_id as bigint)
returning totals.entries as deleted
