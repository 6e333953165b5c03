-- The last report of the gate about the present build of a candidate, and whether a person has
-- approved it. A report that was made before the generation became a candidate is about another
-- build. One row or none.
select
  r.id,
  r.live_id,
  r.verdict,
  r.golden_set_version,
  r.report ->> 'split' as split,
  r.report ->> 'settings_fingerprint' as settings_fingerprint,
  r.report ->> 'live_settings_fingerprint' as live_settings_fingerprint,
  r.report -> 'reasons' as reasons,
  exists (
    select
    from ragline.generation_approvals as a
    where a.report_id = r.id and a.generation_id = r.candidate_id
  ) as is_approved
from ragline.gate_reports as r
where
  r.candidate_id = cast(:generation_id as bigint)
  and case
    when r.candidate_id in (select c.live_generation_id from ragline.collections as c)
      then r.live_id = r.candidate_id
    else r.created_at > (
      select max(e.changed_at)
      from ragline.generation_events as e
      where e.generation_id = cast(:generation_id as bigint) and e.to_state = 'candidate'
    )
  end
order by r.id desc
limit 1
