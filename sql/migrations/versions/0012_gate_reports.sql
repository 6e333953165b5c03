-- Each judgement of the gate is stored with its report. A promotion names the report that it is
-- based on, and says whether it was forced. An approval names the report that the person has read.

create table if not exists ragline.gate_reports (
  id bigint generated always as identity,
  collection_id bigint not null,
  -- Without foreign keys to generations, so that a report outlives the rows that it describes.
  candidate_id bigint not null,
  live_id bigint,
  verdict text not null,
  report jsonb not null,
  golden_set_version text,
  code_version text not null,
  seed bigint not null,
  asked_by text not null,
  created_at timestamptz default clock_timestamp() not null,
  constraint gate_reports_pkey primary key (id),
  constraint gate_reports_collection_id_fkey
  foreign key (collection_id) references ragline.collections (id),
  constraint gate_reports_verdict_check check (verdict in ('passed', 'refused', 'undecidable'))
);

create index if not exists gate_reports_candidate_id_idx on ragline.gate_reports (candidate_id);
create index if not exists gate_reports_collection_id_idx on ragline.gate_reports (collection_id);

create table if not exists ragline.generation_approvals (
  id bigint generated always as identity,
  generation_id bigint not null,
  report_id bigint not null,
  approved_at timestamptz default clock_timestamp() not null,
  approved_by text not null,
  reason text not null,
  constraint generation_approvals_pkey primary key (id),
  constraint generation_approvals_report_id_fkey
  foreign key (report_id) references ragline.gate_reports (id)
);

create index if not exists generation_approvals_generation_id_idx
on ragline.generation_approvals (generation_id);

create or replace trigger generation_approvals_append_only
before update or delete on ragline.generation_approvals
for each row
execute function ragline.refuse_event_change();

create or replace trigger generation_approvals_not_emptied
before truncate on ragline.generation_approvals
for each statement
execute function ragline.refuse_event_change();

-- Both are set in the event of a promotion only.
alter table ragline.generation_events add column if not exists report_id bigint;
alter table ragline.generation_events add column if not exists is_forced boolean default false not null;

create or replace function ragline.record_generation_event()
returns trigger
language plpgsql
as $$
begin
  insert into ragline.generation_events (
    generation_id, from_state, to_state, changed_by, reason, report_id, is_forced
  )
  values (
    new.id,
    case when tg_op = 'UPDATE' then old.state end,
    new.state,
    coalesce(
      nullif(current_setting('ragline.changed_by', true), ''), 'database user ' || current_user
    ),
    nullif(current_setting('ragline.change_reason', true), ''),
    case
      when new.state = 'live' then nullif(current_setting('ragline.gate_report', true), '')::bigint
    end,
    new.state = 'live' and coalesce(current_setting('ragline.is_forced', true), '') = 'true'
  );
  return null;
end
$$;

alter table ragline.gate_reports enable row level security;
drop policy if exists of_tenant on ragline.gate_reports;
create policy of_tenant on ragline.gate_reports to public
using (collection_id in (select c.id from ragline.collections as c));

alter table ragline.generation_approvals enable row level security;
drop policy if exists of_tenant on ragline.generation_approvals;
create policy of_tenant on ragline.generation_approvals to public
using (report_id in (select r.id from ragline.gate_reports as r));

alter table ragline.generation_events enable row level security;
drop policy if exists of_tenant on ragline.generation_events;
create policy of_tenant on ragline.generation_events to public
using (generation_id in (select g.id from ragline.generations as g));

-- As in 0005. In addition, a tenant can read each table that has a policy for tenants, so that a
-- later migration grants with this function what it creates.
create or replace function ragline.grant_to_tenants() returns void
language plpgsql
as $function$
declare
  readable text;
begin
  if not exists (select from pg_roles where rolname = 'ragline_tenant') then
    return;
  end if;
  if not pg_has_role(current_user, 'ragline_tenant', 'member') then
    begin
      execute 'grant ragline_tenant to ' || quote_ident(current_user);
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise warning 'this user may not take the role ragline_tenant; see docs/keys.md';
    end;
  end if;
  grant usage on schema ragline to ragline_tenant;
  grant select on ragline.embedding_spaces, ragline.given_feedback to ragline_tenant;
  grant insert, update on ragline.feedback, ragline.hit_feedback to ragline_tenant;
  grant select, insert, update on ragline.pushed_documents to ragline_tenant;
  grant usage on sequence ragline.push_versions to ragline_tenant;
  for readable in
    select p.tablename
    from pg_policies as p
    where p.schemaname = 'ragline' and p.policyname = 'of_tenant'
    union
    select c.relname
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'ragline' and c.relkind = 'r' and c.relname ~ '^entries_[0-9]+$'
  loop
    execute 'grant select on ragline.' || quote_ident(readable) || ' to ragline_tenant';
  end loop;
end
$function$;

select ragline.grant_to_tenants();
