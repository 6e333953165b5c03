-- The last report of the gate about the live generation after its forced promotion, if a person can
-- approve it: the collection has no golden set, and no check refuses the generation. One row or none.
select last.id
from (
  select
    r.id,
    r.verdict,
    r.golden_set_version
  from ragline.gate_reports as r
  where
    r.candidate_id = cast(:generation_id as bigint)
    -- A comparison of the generation with itself judges search settings.
    and r.live_id <> r.candidate_id
    and r.created_at > (
      select max(e.changed_at)
      from ragline.generation_events as e
      where e.generation_id = r.candidate_id and e.is_forced
    )
  order by r.id desc
  limit 1
) as last
where last.verdict = 'undecidable' and last.golden_set_version is null
