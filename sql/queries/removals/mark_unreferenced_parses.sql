-- Records the time since which a parse is unused: no document and no entry has it. Clears the time
-- if the parse is used again.
update ragline.parses as p
set unreferenced_since = case when used.is_used then null else now() end
from (
  select
    q.id,
    exists (select from ragline.documents as d where d.parse_id = q.id)
    or exists (
      select
      from ragline.chunkings as k
      join ragline.placements as l on l.chunking_id = k.id
      where k.parse_id = q.id
    ) as is_used
  from ragline.parses as q
) as used
where used.id = p.id and used.is_used = (p.unreferenced_since is not null)
