-- The embedding models that searches need now, or will when a generation that is being built is
-- switched to; the oldest generation's first.
select e.model
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where g.state in ('live', 'building')
group by e.model
order by min(g.id)
