-- Row-level security on pushed documents, which know their tenant before their first sync, and on
-- the scores of golden sets.

alter table ragline.pushed_documents add column tenant text default 'default' not null;

update ragline.pushed_documents as p
set tenant = c.tenant
from ragline.sources as s
join ragline.collections as c on c.id = s.collection_id
where s.name = p.source and c.tenant <> p.tenant;

alter table ragline.pushed_documents enable row level security;
create policy of_tenant on ragline.pushed_documents to public
using (tenant = current_setting('ragline.tenant', true));

alter table ragline.evaluations enable row level security;
create policy of_tenant on ragline.evaluations to public
using (collection in (select c.name from ragline.collections as c));

-- As in 0004, and what tenants push.
create or replace function ragline.grant_to_tenants() returns void
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
    ragline.given_feedback, ragline.quality_figures, ragline.evaluations
  to ragline_tenant;
  grant insert, update on ragline.feedback, ragline.hit_feedback to ragline_tenant;
  grant select, insert, update on ragline.pushed_documents to ragline_tenant;
  grant usage on sequence ragline.push_versions to ragline_tenant;
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

select ragline.grant_to_tenants();
