-- Returns the number of documents of a collection that :principals may see, by state: (state,
-- count).
select
  d.state,
  count(*) as count
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
join ragline.collections as c on c.id = s.collection_id
where
  c.name = cast(:collection as text)
  and (cast(:source as text) is null or s.name = cast(:source as text))
  and (
    cast(:principals as text[]) is null
    or d.principals is null
    or d.principals && cast(:principals as text[])
  )
group by d.state
order by d.state
