-- The reports of a collection, of a judged generation, or all if both are null, without their
-- content. The newest is first.
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
  r.created_at
from ragline.gate_reports as r
join ragline.collections as c on c.id = r.collection_id
where
  (cast(:collection as text) is null or c.name = cast(:collection as text))
  and (cast(:generation_id as bigint) is null or r.candidate_id = cast(:generation_id as bigint))
order by r.id desc
