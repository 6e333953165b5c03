-- Each row makes a generation live with the settings of its searches. The last row of a collection
-- is its release now. A collection without a row is searched with the settings of the file.
create table if not exists ragline.releases (
  id bigint generated always as identity,
  collection_id bigint not null,
  -- Without a foreign key, so that a release outlives the generation.
  generation_id bigint not null,
  settings jsonb not null,
  -- The release to which a rollback returns.
  previous_id bigint,
  -- After a rollback, the settings that an operator decided against. No sync releases them again.
  held_settings jsonb,
  released_at timestamptz default clock_timestamp() not null,
  released_by text not null,
  reason text,
  report_id bigint,
  is_forced boolean default false not null,
  constraint releases_pkey primary key (id),
  constraint releases_collection_id_fkey
  foreign key (collection_id) references ragline.collections (id)
);

create index if not exists releases_collection_id_id_idx on ragline.releases (collection_id, id);

create or replace trigger releases_append_only
before update or delete on ragline.releases
for each row
execute function ragline.refuse_event_change();

create or replace trigger releases_not_emptied
before truncate on ragline.releases
for each statement
execute function ragline.refuse_event_change();

alter table ragline.releases enable row level security;
drop policy if exists of_tenant on ragline.releases;
create policy of_tenant on ragline.releases to public
using (collection_id in (select c.id from ragline.collections as c));

select ragline.grant_to_tenants();
