-- The last migration and the last breaking one that were applied; no row before the first.
select
  a.version_num as applied,
  b.version_num as breaking
from ragline.schema_revisions as a
cross join ragline.alembic_version as b
