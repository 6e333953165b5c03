-- One row for each collection, by name: its live generation, the number of building, candidate and
-- retired generations, why the configured generation could not be built, and who forced the promotion
-- of the live generation, until a later gate has passed it. Without a golden set, this ends when a
-- person approves a later report. The columns unpassed_… have the last report of a gate that a sync
-- ran and that did not pass the newest candidate. The columns drop_… have the promoted generation
-- whose online figures are worse than before, while it is live, or after the watch has rolled it
-- back. `can_roll_back` says whether a rollback has a retired generation or earlier search settings to
-- return to.
select
  c.name as collection,
  g.id as generation,
  e.model as embedding_model,
  g.entry_count as entries,
  g.promoted_at,
  (
    select count(*)
    from ragline.placements as p
    where p.generation_id = g.id
  ) as documents,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'building'
  ) as building,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'retired'
  ) as retired,
  (
    select count(*)
    from ragline.generations as other
    where other.collection_id = c.id and other.state = 'candidate'
  ) as candidates,
  (
    exists (
      select
      from ragline.generations as other
      where
        other.collection_id = c.id and other.state = 'retired' and other.held_at is null
    )
    or exists (
      select
      from ragline.releases as r
      join ragline.releases as p on p.id = r.previous_id
      where
        r.id = (select max(last.id) from ragline.releases as last where last.collection_id = c.id)
        and r.generation_id = g.id
        and p.generation_id = g.id
    )
  ) as can_roll_back,
  c.build_error_name,
  c.build_error,
  c.build_error_since,
  w.generation_id as drop_generation,
  w.breached_at as drop_since,
  w.reason as drop_reason,
  w.is_rolled_back as drop_is_rolled_back,
  w.rollback_error as drop_rollback_error,
  forced.forced_at,
  forced.forced_by,
  forced.forced_reason,
  forced.forced_against,
  unpassed.unpassed_candidate,
  unpassed.unpassed_report,
  unpassed.unpassed_verdict,
  unpassed.unpassed_since
from ragline.collections as c
left join ragline.generations as g on g.id = c.live_generation_id
left join ragline.embedding_spaces as e on e.id = g.embedding_space_id
left join lateral (
  select
    v.generation_id,
    v.breached_at,
    v.reason,
    v.rollback_error,
    other.id <> c.live_generation_id as is_rolled_back
  from ragline.promotion_watches as v
  join ragline.generations as other on other.id = v.generation_id
  where
    other.collection_id = c.id
    and v.breached_at is not null
    and (
      other.id = c.live_generation_id
      or (
        other.state = 'retired'
        and other.held_at is not null
        and exists (
          select
          from ragline.generation_events as e
          where
            e.generation_id = other.id
            and e.to_state = 'retired'
            and e.changed_by = 'watch'
            and e.changed_at >= other.held_at
        )
      )
    )
  order by other.id = c.live_generation_id desc, v.breached_at desc
  limit 1
) as w on true
left join lateral (
  select
    v.changed_at as forced_at,
    v.changed_by as forced_by,
    v.reason as forced_reason,
    (
      select r.forced_against
      from ragline.releases as r
      where r.generation_id = g.id and r.is_forced and r.released_at >= v.changed_at
      order by r.id
      limit 1
    ) as forced_against
  from ragline.generation_events as v
  where
    v.generation_id = g.id
    and v.is_forced
    and not exists (
      select
      from ragline.gate_reports as r
      where
        r.candidate_id = g.id
        -- A comparison of the generation with itself judges search settings.
        and r.live_id <> g.id
        and r.created_at > v.changed_at
        and (
          (r.verdict = 'passed' and r.report ->> 'split' in ('test', 'gate'))
          -- Without a golden set, a person decides on the report.
          or (
            r.verdict = 'undecidable'
            and r.golden_set_version is null
            and exists (
              select
              from ragline.generation_approvals as a
              where a.report_id = r.id and a.generation_id = g.id
            )
          )
        )
    )
  order by v.id desc
  limit 1
) as forced on true
left join lateral (
  select
    n.id as unpassed_candidate,
    last.id as unpassed_report,
    last.verdict as unpassed_verdict,
    last.created_at as unpassed_since
  from ragline.generations as n
  join lateral (
    select r.id, r.verdict, r.created_at, r.live_id, r.asked_by
    from ragline.gate_reports as r
    where r.candidate_id = n.id
    order by r.id desc
    limit 1
  ) as last on true
  where
    n.collection_id = c.id
    and n.state = 'candidate'
    and last.verdict <> 'passed'
    and last.live_id = g.id
    and last.asked_by like 'run %'
  order by n.id desc
  limit 1
) as unpassed on true
order by c.name
