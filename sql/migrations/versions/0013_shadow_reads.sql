-- Searches that a candidate answered too, without texts. `request_id` is the id of the live search.

create table if not exists ragline.shadow_reads (
  id uuid not null,
  request_id uuid not null,
  read_at timestamptz not null,
  collection text not null,
  tenant text,
  live_generation_id bigint not null,
  candidate_id bigint not null,
  live_ms real not null,
  live_hits integer not null,
  candidate_ms real,
  candidate_hits integer,
  overlap real,
  rank_biased_overlap real,
  error text,
  constraint shadow_reads_pkey primary key (id),
  constraint shadow_reads_outcome_check check ((error is null) = (candidate_ms is not null))
);

create index if not exists shadow_reads_candidate_id_read_at_idx
on ragline.shadow_reads (candidate_id, read_at);
create index if not exists shadow_reads_read_at_idx on ragline.shadow_reads (read_at);

alter table ragline.shadow_reads enable row level security;
drop policy if exists of_tenant on ragline.shadow_reads;
create policy of_tenant on ragline.shadow_reads to public
using (tenant = current_setting('ragline.tenant', true));
