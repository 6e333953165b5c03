-- Tenants, keys, the audit table, row-level security, and the index that filters on metadata use.

alter table ragline.collections add column tenant text default 'default' not null;

create table ragline.api_keys (
  id bigint generated always as identity,
  name text not null,
  public_id text not null,
  secret_hash bytea not null,
  tenant text not null,
  collections text[],
  scopes text[] not null,
  principals text[],
  requests_per_minute integer,
  created_at timestamptz default now() not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  constraint api_keys_pkey primary key (id),
  constraint api_keys_public_id_key unique (public_id)
);

create table ragline.audit_events (
  id bigint generated always as identity,
  happened_at timestamptz default now() not null,
  request_id text not null,
  key_id text,
  tenant text,
  method text not null,
  path text not null,
  collection text,
  generation_id bigint,
  status integer not null,
  constraint audit_events_pkey primary key (id)
);

create index audit_events_happened_at_idx on ragline.audit_events (happened_at);

do $$
declare
  entries text;
begin
  for entries in
    select c.relname
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'ragline' and c.relkind = 'r' and c.relname ~ '^entries_[0-9]+$'
  loop
    execute 'create index if not exists ' || entries || '_metadata_idx on ragline.' || entries
      || ' using gin (metadata jsonb_path_ops)';
  end loop;
end
$$;

-- The role that a tenant's requests run under. Roles belong to the whole server, so another
-- database may have made it; where this user may not make roles, an administrator does, as
-- docs/keys.md says, and the service warns until then.
do $$
begin
  if not exists (select from pg_roles where rolname = 'ragline_tenant') then
    create role ragline_tenant nologin nosuperuser nobypassrls;
  end if;
exception
  when duplicate_object or unique_violation then null;
  when insufficient_privilege then
    raise warning 'the role ragline_tenant cannot be made by this user; see docs/keys.md';
end
$$;

-- What a tenant's role may touch, and of it only its own rows. Run again when the role is made
-- later; a new table of entries grants for itself.
create function ragline.grant_to_tenants() returns void
language plpgsql
as $function$
declare
  entries text;
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
  grant select on
    ragline.collections, ragline.sources, ragline.documents, ragline.generations,
    ragline.embedding_spaces, ragline.lexemes, ragline.placements, ragline.parses,
    ragline.chunkings, ragline.chunks, ragline.source_syncs, ragline.clock_readings,
    ragline.sync_proofs, ragline.search_requests, ragline.feedback, ragline.hit_feedback,
    ragline.given_feedback, ragline.quality_figures
  to ragline_tenant;
  grant insert, update on ragline.feedback, ragline.hit_feedback to ragline_tenant;
  for entries in
    select c.relname
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'ragline' and c.relkind = 'r' and c.relname ~ '^entries_[0-9]+$'
  loop
    execute 'grant select on ragline.' || entries || ' to ragline_tenant';
  end loop;
end
$function$;

alter view ragline.given_feedback set (security_invoker = true);

alter table ragline.collections enable row level security;
create policy of_tenant on ragline.collections to public
using (tenant = current_setting('ragline.tenant', true));

alter table ragline.sources enable row level security;
create policy of_tenant on ragline.sources to public
using (collection_id in (select c.id from ragline.collections as c));

alter table ragline.generations enable row level security;
create policy of_tenant on ragline.generations to public
using (collection_id in (select c.id from ragline.collections as c));

alter table ragline.documents enable row level security;
create policy of_tenant on ragline.documents to public
using (source_id in (select s.id from ragline.sources as s));

alter table ragline.lexemes enable row level security;
create policy of_tenant on ragline.lexemes to public
using (generation_id in (select g.id from ragline.generations as g));

alter table ragline.placements enable row level security;
create policy of_tenant on ragline.placements to public
using (generation_id in (select g.id from ragline.generations as g));

alter table ragline.source_syncs enable row level security;
create policy of_tenant on ragline.source_syncs to public
using (source_id in (select s.id from ragline.sources as s));

alter table ragline.clock_readings enable row level security;
create policy of_tenant on ragline.clock_readings to public
using (source_id in (select s.id from ragline.sources as s));

alter table ragline.sync_proofs enable row level security;
create policy of_tenant on ragline.sync_proofs to public
using (source_id in (select s.id from ragline.sources as s));

-- Stored once for equal content, so a parse is a tenant's when one of its documents has it.
alter table ragline.parses enable row level security;
create policy of_tenant on ragline.parses to public
using (exists (select from ragline.documents as d where d.parse_id = parses.id));

alter table ragline.chunkings enable row level security;
create policy of_tenant on ragline.chunkings to public
using (exists (select from ragline.documents as d where d.parse_id = chunkings.parse_id));

alter table ragline.chunks enable row level security;
create policy of_tenant on ragline.chunks to public
using (exists (select from ragline.chunkings as k where k.id = chunks.chunking_id));

alter table ragline.search_requests enable row level security;
create policy of_tenant on ragline.search_requests to public
using (tenant = current_setting('ragline.tenant', true));

alter table ragline.feedback enable row level security;
create policy of_tenant on ragline.feedback to public
using (exists (select from ragline.search_requests as r where r.id = feedback.request_id));

alter table ragline.hit_feedback enable row level security;
create policy of_tenant on ragline.hit_feedback to public
using (exists (select from ragline.search_requests as r where r.id = hit_feedback.request_id));

alter table ragline.quality_figures enable row level security;
create policy of_tenant on ragline.quality_figures to public
using (collection in (select c.name from ragline.collections as c));

select ragline.grant_to_tenants();
