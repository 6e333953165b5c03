-- Stores the last look at a live generation. While a breach continues, its first figures are kept.
insert into ragline.promotion_watches (
  generation_id, collection, watched_from, checked_at, breached_at, breached_figures, reason, figures
)
values (
  cast(:generation_id as bigint),
  cast(:collection as text),
  cast(:watched_from as timestamptz),
  cast(:checked_at as timestamptz),
  cast(:breached_at as timestamptz),
  cast(:breached_figures as text[]),
  cast(:reason as text),
  cast(:figures as jsonb)
)
on conflict (generation_id) do update
set
  watched_from = excluded.watched_from,
  checked_at = excluded.checked_at,
  breached_at = excluded.breached_at,
  breached_figures = case
    when excluded.breached_at is null then '{}'
    when promotion_watches.breached_at is null then excluded.breached_figures
    else promotion_watches.breached_figures
  end,
  reason = excluded.reason,
  rollback_error = case
    when excluded.breached_at is not null then promotion_watches.rollback_error
  end,
  figures = excluded.figures
