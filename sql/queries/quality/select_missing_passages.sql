-- Those of some passages that are not in the text of their document now: (number), in the order of
-- the lists. `number` is the position in the lists and starts at 1. A run of white space counts as
-- one space. Documents without a text are left out.
select t.number
from
  unnest(
    cast(:sources as text[]), cast(:document_ids as text[]), cast(:passages as text[])
  ) with ordinality as t (source, document_id, passage, number)
cross join lateral (
  select
    bool_or(
      position(t.passage in regexp_replace(p.text, '\s+', ' ', 'g')) > 0
    ) as is_quoted
  from ragline.documents as d
  join ragline.sources as s on s.id = d.source_id
  join ragline.collections as c on c.id = s.collection_id
  join ragline.parses as p on p.id = d.parse_id
  where
    c.name = cast(:collection as text)
    and d.document_id = t.document_id
    and (t.source is null or s.name = t.source)
    and d.state not in ('missing', 'removed')
) as found
where not found.is_quoted
order by t.number
