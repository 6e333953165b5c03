-- Returns the embedding models of live generations and of generations that are being built. The
-- model of the oldest generation comes first.
select e.model
from ragline.generations as g
join ragline.embedding_spaces as e on e.id = g.embedding_space_id
where g.state in ('live', 'building')
group by e.model
order by min(g.id)
