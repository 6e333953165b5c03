-- The version of the text analysis that a generation was built with; null before there was one.

alter table ragline.generations add column if not exists analysis_version text;

-- With which analysis a document's entries were made. A release that knows none writes null, and its
-- entries are then made again.
alter table ragline.placements add column if not exists analysis_version text;

-- The lexemes of an analysed text (ragline/text_analysis.py): those of its main part, and, marked
-- with the weight A, those that only the added forms of its words give.
create or replace function ragline.make_lexemes(language regconfig, main text, added text)
returns tsvector
language sql immutable parallel safe
return (
  select
    case
      when coalesce(added, '') = '' then m.tsv
      else m.tsv
        || setweight(ts_delete(to_tsvector(language, added), tsvector_to_array(m.tsv)), 'A')
    end
  from (select to_tsvector(language, coalesce(main, '')) as tsv) as m
);

-- The number of lexeme occurrences in a text, which BM25 takes for its length. Other forms of its
-- words do not make a text longer.
create or replace function ragline.lexeme_count(tsv tsvector)
returns integer
language sql immutable strict parallel safe
return (
  select coalesce(sum(cardinality(array_positions(weights, 'D'))), 0)::integer
  from unnest(tsv)
);
