-- What the database says about a collection: the error of its last build, and the names of its
-- sources that were listed. No row before the first sync.
select
  c.build_error,
  array(
    select s.name
    from ragline.sources as s
    where s.collection_id = c.id and s.listed_at is not null
    order by s.name
  ) as listed_sources
from ragline.collections as c
where c.name = cast(:collection as text)
