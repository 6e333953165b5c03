-- A complete generation can be a candidate, which an operator promotes or refuses. Each change of a
-- state is recorded in an append-only trail.

alter table ragline.generations drop constraint if exists generations_state_check;
alter table ragline.generations add constraint generations_state_check
check (
  state in ('building', 'candidate', 'live', 'retired', 'refused', 'abandoned', 'dropped')
);

-- Since when an operator has decided against a generation, by a refusal or a rollback. No statement
-- can make such a generation live without ending this hold, so no sync promotes it again.
alter table ragline.generations add column if not exists held_at timestamptz;
alter table ragline.generations drop constraint if exists generations_held_check;
alter table ragline.generations add constraint generations_held_check
check (held_at is null or state <> 'live');

insert into ragline.generation_transitions (from_state, to_state)
values
  ('building', 'candidate'),
  ('candidate', 'live'),
  ('candidate', 'refused'),
  ('candidate', 'abandoned'),
  ('refused', 'building'),
  ('refused', 'dropped')
on conflict (from_state, to_state) do nothing;

-- Without a foreign key, so that the trail outlives the rows that it describes.
create table if not exists ragline.generation_events (
  id bigint generated always as identity,
  generation_id bigint not null,
  from_state text,
  to_state text not null,
  changed_at timestamptz default clock_timestamp() not null,
  changed_by text not null,
  reason text,
  constraint generation_events_pkey primary key (id)
);

create index if not exists generation_events_generation_id_idx
on ragline.generation_events (generation_id);

-- The transaction says who changes a state, and why, in two settings. If it does not, as in an older
-- release, the trail has the user of the database.
create or replace function ragline.record_generation_event()
returns trigger
language plpgsql
as $$
begin
  insert into ragline.generation_events (
    generation_id, from_state, to_state, changed_by, reason
  )
  values (
    new.id,
    case when tg_op = 'UPDATE' then old.state end,
    new.state,
    coalesce(
      nullif(current_setting('ragline.changed_by', true), ''), 'database user ' || current_user
    ),
    nullif(current_setting('ragline.change_reason', true), '')
  );
  return null;
end
$$;

create or replace trigger generations_created
after insert on ragline.generations
for each row
execute function ragline.record_generation_event();

create or replace trigger generations_changed
after update of state on ragline.generations
for each row
when (old.state is distinct from new.state)
execute function ragline.record_generation_event();

create or replace function ragline.refuse_event_change()
returns trigger
language plpgsql
as $$
begin
  raise exception using
    errcode = 'check_violation',
    message = 'the trail ' || tg_table_name || ' is append-only';
end
$$;

create or replace trigger generation_events_append_only
before update or delete on ragline.generation_events
for each row
execute function ragline.refuse_event_change();

create or replace trigger generation_events_not_emptied
before truncate on ragline.generation_events
for each statement
execute function ragline.refuse_event_change();
