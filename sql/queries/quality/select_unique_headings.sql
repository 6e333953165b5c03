-- Titles and headings of three or more words that occur in one document of a generation only:
-- (heading, document_id, source), at most :most. The order is arbitrary and the same each time.
-- Documents that list principals are left out.
select
  min(h.heading) as heading,
  min(h.document_id) as document_id,
  min(h.source) as source
from (
  select
    e.document_id,
    e.source,
    e.title as heading
  from ragline.entries_generation as e
  where e.principals is null and e.ordinal = 0
  union
  select
    e.document_id,
    e.source,
    unnest(e.heading_path) as heading
  from ragline.entries_generation as e
  where e.principals is null
) as h
where length(h.heading) <= 120 and h.heading ~ '\S+\s+\S+\s+\S'
group by lower(h.heading)
having count(distinct (h.source, h.document_id)) = 1
order by md5(lower(min(h.heading)))
limit cast(:most as integer)
