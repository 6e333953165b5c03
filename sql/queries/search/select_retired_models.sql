-- The embedding models of the retired generations, which searches can use after a rollback, by the
-- oldest generation.
select e.model
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where g.state = 'retired'
group by e.model
order by min(g.id)
