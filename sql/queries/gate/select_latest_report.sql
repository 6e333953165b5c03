-- The last report in which a generation was judged, with its content. One row or none.
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
where r.candidate_id = cast(:generation_id as bigint)
order by r.id desc
limit 1
