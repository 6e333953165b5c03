-- Returns the stems of each text without stop words, in the order of the texts.
select array(
  select q.lexeme
  from unnest(to_tsvector(cast(:language as regconfig), t.text)) as q
) as stems
from unnest(cast(:texts as text[])) with ordinality as t (text, position)
order by t.position
