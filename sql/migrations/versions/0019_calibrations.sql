-- How the evidence of a generation's hits becomes their confidence: one row for each kind of search.

create table if not exists ragline.calibrations (
  generation_id bigint not null,
  mode text not null,
  is_reranked boolean not null,
  -- Null if the golden set is too small. The reason then says what is missing.
  model jsonb,
  reason text,
  figures jsonb not null,
  golden_set_version text not null,
  settings_fingerprint text not null,
  code_version text not null,
  created_at timestamptz default now() not null,
  constraint calibrations_pkey primary key (generation_id, mode, is_reranked),
  constraint calibrations_generation_id_fkey
  foreign key (generation_id) references ragline.generations (id) on delete cascade,
  constraint calibrations_reason_check check ((model is null) = (reason is not null))
);

-- Hits were found, and `min_confidence` removed all of them. Older releases write no value.
alter table ragline.search_requests
add column if not exists is_abstained boolean default false not null;

alter table ragline.calibrations enable row level security;
drop policy if exists of_tenant on ragline.calibrations;
create policy of_tenant on ragline.calibrations to public
using (generation_id in (select g.id from ragline.generations as g));

select ragline.grant_to_tenants();
