-- Who asked and in which trace, what was done with hits, and the figures that are made once a day.

alter table ragline.search_requests
  add column trace_id text,
  add column tenant text,
  add column client text,
  add column stale_count integer default 0 not null;

create index search_requests_collection_requested_at_idx on ragline.search_requests (collection, requested_at);

alter table ragline.feedback add column rank integer;

-- What was done with one hit. The last word on a whole document stays in ragline.feedback, whose
-- key version 0.2 needs while it runs.
create table ragline.hit_feedback (
  request_id uuid not null,
  entry_id bigint not null,
  kind text not null,
  document_id text not null,
  rank integer not null,
  is_useful boolean,
  given_at timestamptz default now() not null,
  constraint hit_feedback_pkey primary key (request_id, entry_id, kind),
  constraint hit_feedback_kind_check check (kind in ('click', 'answer_used', 'verdict')),
  constraint hit_feedback_is_useful_check check ((kind = 'verdict') = (is_useful is not null)),
  constraint hit_feedback_request_id_fkey foreign key(request_id) references ragline.search_requests (id) on delete cascade
);

-- All feedback in one shape.
create view ragline.given_feedback as
select
  request_id,
  document_id,
  null::bigint as entry_id,
  rank,
  case when is_useful then 'useful' else 'not_useful' end as kind,
  given_at
from ragline.feedback
union all
select
  request_id,
  document_id,
  entry_id,
  rank,
  case when kind <> 'verdict' then kind when is_useful then 'useful' else 'not_useful' end,
  given_at
from ragline.hit_feedback;

-- A day's salt of the hashes that stand for clients. Once it is deleted, no hash of that day can
-- be tried against an address.
create table ragline.client_salts (
  day date not null,
  salt bytea not null,
  constraint client_salts_pkey primary key (day)
);

-- One row a collection and day (UTC): what is too dear to make at each request.
create table ragline.quality_figures (
  collection text not null,
  day date not null,
  figures jsonb not null,
  run_id text,
  measured_at timestamptz default now() not null,
  constraint quality_figures_pkey primary key (collection, day)
);
