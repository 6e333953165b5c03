-- The report of an id with its content. One row or none.
select
  r.id,
  c.name as collection,
  r.candidate_id,
  r.live_id,
  r.verdict,
  r.golden_set_version,
  r.code_version,
  r.seed,
  r.asked_by,
  r.created_at,
  r.report
from ragline.gate_reports as r
join ragline.collections as c on c.id = r.collection_id
where r.id = cast(:report_id as bigint)
