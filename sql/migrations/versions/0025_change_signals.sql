-- Signals that a source has changed. Each source has one row, so that many signals need little
-- space. A signal increases `version`. A listing clears all signals up to `cleared_version`.

create table if not exists ragline.change_signals (
  -- The name, because a source can be signalled before its first sync.
  source text not null,
  version bigint not null,
  cleared_version bigint default 0 not null,
  -- The version of the last pending signal that names no documents: any document can have
  -- changed. Null if each pending signal names its documents.
  whole_version bigint,
  -- The documents that pending signals name: the version of the last signal, by document id.
  documents jsonb default '{}'::jsonb not null,
  -- The time of the oldest pending signal. Null if all signals are cleared.
  pending_since timestamptz,
  signalled_at timestamptz not null,
  reason text not null,
  -- The number of signals since the row was created, by reason.
  counts jsonb default '{}'::jsonb not null,
  constraint change_signals_pkey primary key (source)
);

-- Whether the current tenant may signal a source. It may also signal a source that is not synced
-- yet, because the database does not know the tenant of such a source. The function belongs to the
-- owner of the tables, so it sees the sources of all tenants.
create or replace function ragline.is_source_of_tenant(text) returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $function$
  select not exists (
    select
    from ragline.sources as s
    join ragline.collections as c on c.id = s.collection_id
    where s.name = $1 and c.tenant is distinct from current_setting('ragline.tenant', true)
  );
$function$;

alter table ragline.change_signals enable row level security;
drop policy if exists of_tenant on ragline.change_signals;
create policy of_tenant on ragline.change_signals to public
using (ragline.is_source_of_tenant(source));

-- As in 0012. In addition, a tenant can signal that its sources have changed.
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
  grant insert, update on ragline.change_signals to ragline_tenant;
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
