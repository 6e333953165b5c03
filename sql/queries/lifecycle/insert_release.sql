-- Writes a release of a collection. It is the release now.
insert into ragline.releases (
  collection_id,
  generation_id,
  settings,
  previous_id,
  held_settings,
  released_by,
  reason,
  report_id,
  is_forced,
  forced_against
)
select
  c.id,
  cast(:generation_id as bigint),
  cast(:settings as jsonb),
  cast(:previous_id as bigint),
  cast(:held_settings as jsonb),
  cast(:released_by as text),
  cast(:reason as text),
  cast(:report_id as bigint),
  cast(:is_forced as boolean),
  cast(:forced_against as text)
from ragline.collections as c
where c.name = cast(:collection as text)
