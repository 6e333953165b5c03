-- Returns one row for each of the :collections that has a candidate, by name: the newest candidate.
select c.name as collection, max(g.id) as id
from ragline.collections as c
join ragline.generations as g on g.collection_id = c.id
where c.name = any(cast(:collections as text[])) and g.state = 'candidate'
group by c.name
order by c.name
