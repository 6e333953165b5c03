-- The retired generations of a collection whose grace period has passed, oldest first.
select g.id
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
where
  c.name = cast(:collection as text)
  and g.state = 'retired'
  and g.retired_at < now() - cast(:grace as interval)
order by g.id
