-- A generation that the configuration no longer asks for is abandoned, then dropped. The last
-- failure to open or to build what the configuration asks for is kept with the collection.

alter table ragline.generations drop constraint if exists generations_state_check;
alter table ragline.generations add constraint generations_state_check
check (state in ('building', 'live', 'retired', 'abandoned', 'dropped'));

-- When the counts of a generation were last compared with its entries.
alter table ragline.generations add column if not exists counted_at timestamptz;

alter table ragline.collections add column if not exists build_error_name text;
alter table ragline.collections add column if not exists build_error text;
alter table ragline.collections add column if not exists build_error_since timestamptz;
alter table ragline.collections add column if not exists build_error_at timestamptz;

-- The pairs that ragline/lifecycle/generation_states.py declares; a test compares the two.
create table if not exists ragline.generation_transitions (
  from_state text not null,
  to_state text not null,
  constraint generation_transitions_pkey primary key (from_state, to_state)
);

insert into ragline.generation_transitions (from_state, to_state)
values
  ('building', 'live'),
  ('building', 'abandoned'),
  ('live', 'retired'),
  ('retired', 'live'),
  ('retired', 'dropped'),
  ('abandoned', 'building'),
  ('abandoned', 'live'),
  ('abandoned', 'dropped')
on conflict (from_state, to_state) do nothing;

create or replace function ragline.refuse_generation_transition()
returns trigger
language plpgsql
as $$
begin
  if not exists (
    select
    from ragline.generation_transitions as t
    where t.from_state = old.state and t.to_state = new.state
  ) then
    raise exception using
      errcode = 'check_violation',
      message = 'generation ' || old.id || ' cannot go from ' || old.state || ' to ' || new.state;
  end if;
  return new;
end
$$;

create or replace trigger generations_transition
before update of state on ragline.generations
for each row
when (old.state is distinct from new.state)
execute function ragline.refuse_generation_transition();
