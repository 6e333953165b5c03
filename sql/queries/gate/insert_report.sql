-- Stores a report of the gate. Returns its id.
insert into ragline.gate_reports (
  collection_id, candidate_id, live_id, verdict, report, golden_set_version, code_version, seed,
  asked_by
)
select
  c.id,
  cast(:candidate_id as bigint),
  cast(:live_id as bigint),
  cast(:verdict as text),
  cast(:report as jsonb),
  cast(:golden_set_version as text),
  cast(:code_version as text),
  cast(:seed as bigint),
  cast(:asked_by as text)
from ragline.collections as c
where c.name = cast(:collection as text)
returning id
