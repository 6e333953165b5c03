-- Returns one row (ids, scores): the entries of a generation that are nearest to a query's vector,
-- best first, at most :depth. A score is a cosine similarity. The values are described in
-- select_keyword_leg. The conditions of the search and of the principals are those of
-- select_keyword_leg, too. In a search that scans all entries, another order replaces the marked
-- order, because the vector index cannot provide it.
select
  coalesce(string_agg(int8send(n.id), '' order by n.score desc, n.id), '') as ids,
  coalesce(string_agg(float8send(n.score), '' order by n.score desc, n.id), '') as scores
from (
  select
    f.id,
    1 - f.distance as score
  from (
    select
      e.id,
      e.embedding <=> cast(:embedding as halfvec) as distance
    from ragline.entries_generation as e
    where
      (
        cast(:principals as text[]) is null
        or e.principals is null
        or e.principals && cast(:principals as text[])
      )
      and true /* filter */
    order by (e.embedding <=> cast(:embedding as halfvec)) /* scan */
    limit cast(:depth as integer)
  ) as f
) as n
