-- Returns one row (applied, breaking): the last migration that was applied, and the last applied
-- one that breaks older releases. Returns no row before the first migration.
select
  a.version_num as applied,
  b.version_num as breaking
from ragline.schema_revisions as a
cross join ragline.alembic_version as b
