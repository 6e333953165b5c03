-- The embedding models of the generations that searches use now or can use after a promotion, by the
-- oldest generation.
select e.model
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where g.state in ('live', 'building', 'candidate')
group by e.model
order by min(g.id)
