-- The last look at each generation that was promoted: its online figures, and a breach.

create table if not exists ragline.promotion_watches (
  generation_id bigint not null,
  collection text not null,
  watched_from timestamptz not null,
  checked_at timestamptz not null,
  breached_at timestamptz,
  breached_figures text[] default '{}'::text[] not null,
  reason text,
  rollback_error text,
  figures jsonb not null,
  constraint promotion_watches_pkey primary key (generation_id)
);

alter table ragline.promotion_watches enable row level security;
drop policy if exists of_tenant on ragline.promotion_watches;
create policy of_tenant on ragline.promotion_watches to public
using (collection in (select c.name from ragline.collections as c));
