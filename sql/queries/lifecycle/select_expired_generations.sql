-- Returns the ids of a collection's retired generations whose grace period has ended, oldest first.
select g.id
from ragline.generations as g
join ragline.collections as c on c.id = g.collection_id
where
  c.name = cast(:collection as text)
  and g.state = 'retired'
  and g.retired_at < now() - cast(:grace as interval)
order by g.id
