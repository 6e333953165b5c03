-- The refused generations of a collection whose tables are not dropped yet, oldest first.
select g.id
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
where
  c.name = cast(:collection as text)
  and g.state = 'refused'
  and to_regclass('ragline.entries_' || g.id) is not null
order by g.id
