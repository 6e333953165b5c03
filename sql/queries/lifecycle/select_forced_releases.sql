-- Returns one row for each collection whose searches use forced search settings, by name: the last
-- release that forced these settings for the live generation, while no later gate has passed them.
-- `previous_settings` are those of the release before it. With :collection, only this collection.
select
  c.name as collection,
  f.generation_id,
  f.released_at,
  f.released_by,
  f.reason,
  f.forced_against,
  f.settings,
  f.previous_settings
from ragline.collections as c
join lateral (
  select r.generation_id, r.settings
  from ragline.releases as r
  where r.collection_id = c.id
  order by r.id desc
  limit 1
) as now on now.generation_id = c.live_generation_id
join lateral (
  select
    r.generation_id, r.released_at, r.released_by, r.reason, r.forced_against, r.settings,
    p.settings as previous_settings
  from ragline.releases as r
  join ragline.releases as p on p.id = r.previous_id and p.generation_id = r.generation_id
  where
    r.collection_id = c.id
    and r.generation_id = now.generation_id
    and r.is_forced
    and r.settings = now.settings
  order by r.id desc
  limit 1
) as f on true
where
  c.name = coalesce(cast(:collection as text), c.name)
  and not exists (
    select
    from ragline.gate_reports as g
    where
      g.candidate_id = f.generation_id
      and g.live_id = f.generation_id
      -- A later version of Ragline can have more settings.
      and g.report -> 'searched_settings' @> f.settings
      and g.created_at > f.released_at
      and (
        (g.verdict = 'passed' and g.report ->> 'split' in ('test', 'gate'))
        -- Without a golden set, a person decides on the report.
        or (
          g.verdict = 'undecidable'
          and g.golden_set_version is null
          and exists (
            select
            from ragline.generation_approvals as a
            where a.report_id = g.id and a.generation_id = g.candidate_id
          )
        )
      )
  )
order by c.name
