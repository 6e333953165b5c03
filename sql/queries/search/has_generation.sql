-- Returns one row (is_seen): whether a generation exists, has a table of entries, and may be seen
-- by the caller. The value is false for a generation of another :tenant, or of a collection outside
-- :collections.
select
  to_regclass('ragline.entries_' || cast(:generation_id as bigint)) is not null
  and exists (
    select from ragline.generations as g
    join ragline.collections as c on c.id = g.collection_id
    where
      g.id = cast(:generation_id as bigint)
      and (cast(:tenant as text) is null or c.tenant = cast(:tenant as text))
      and (
        cast(:collections as text[]) is null
        or c.name = any(cast(:collections as text[]))
      )
  ) as is_seen
