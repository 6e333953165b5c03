-- States with their transitions, clocks, held removals, readers of documents, sync proofs,
-- pushed documents, what sources remember, and the queue of texts to embed.

alter table ragline.sources
  add column first_listed_at timestamptz,
  add column listed_probe text,
  add column proven_at timestamptz,
  add column unreachable_since timestamptz,
  add column unreachable_error text,
  add column attributes_fingerprint text;

alter table ragline.documents
  add column own_metadata jsonb default '{}'::jsonb not null,
  add column own_principals text[],
  add column principals text[],
  add column attributes_hash text default '' not null,
  add column clock_started_at timestamptz,
  add column held_since timestamptz;

alter table ragline.source_syncs add column held bigint default 0 not null;

alter table ragline.placements add column attributes_hash text default '' not null;

alter table ragline.documents drop constraint documents_state_check;
alter table ragline.documents add constraint documents_state_check check (
  state in ('pending', 'ready', 'failed', 'quarantined', 'unsupported', 'missing', 'removed')
);

update ragline.documents set own_metadata = metadata;
update ragline.documents set state = 'missing' where missing_since is not null and state <> 'removed';

-- The pairs that ragline/lifecycle/states.py declares; a test compares the two.
create table ragline.document_transitions (
  from_state text not null,
  to_state text not null,
  constraint document_transitions_pkey primary key (from_state, to_state)
);

insert into ragline.document_transitions (from_state, to_state)
values
  ('pending', 'ready'),
  ('pending', 'failed'),
  ('pending', 'quarantined'),
  ('pending', 'unsupported'),
  ('pending', 'missing'),
  ('ready', 'pending'),
  ('ready', 'failed'),
  ('ready', 'quarantined'),
  ('ready', 'unsupported'),
  ('ready', 'missing'),
  ('failed', 'pending'),
  ('failed', 'quarantined'),
  ('failed', 'unsupported'),
  ('failed', 'missing'),
  ('quarantined', 'pending'),
  ('quarantined', 'failed'),
  ('quarantined', 'unsupported'),
  ('quarantined', 'missing'),
  ('unsupported', 'pending'),
  ('unsupported', 'failed'),
  ('unsupported', 'quarantined'),
  ('unsupported', 'missing'),
  ('missing', 'pending'),
  ('missing', 'removed'),
  ('removed', 'pending');

create function ragline.refuse_transition()
returns trigger
language plpgsql
as $$
begin
  if not exists (
    select
    from ragline.document_transitions as t
    where t.from_state = old.state and t.to_state = new.state
  )
  -- Version 0.1 knows no state for a missing document; it may go on until it is stopped.
  and not (new.state = 'removed' and old.missing_since is not null) then
    raise exception using
      errcode = 'check_violation',
      message = 'document ' || old.id || ' cannot go from ' || old.state || ' to ' || new.state;
  end if;
  return new;
end
$$;

create trigger documents_transition
before update of state on ragline.documents
for each row
when (old.state is distinct from new.state)
execute function ragline.refuse_transition();

-- One row each time a clock stopped: a change that became visible, a removal that was forgotten.
create table ragline.clock_readings (
  id bigint generated always as identity,
  source_id bigint not null,
  document_id text not null,
  clock text not null,
  started_at timestamptz not null,
  noticed_at timestamptz not null,
  stopped_at timestamptz not null,
  run_id text,
  constraint clock_readings_pkey primary key (id),
  constraint clock_readings_clock_check check (clock in ('visible', 'forgotten')),
  constraint clock_readings_source_id_fkey foreign key(source_id) references ragline.sources (id) on delete cascade
);

create index clock_readings_source_id_clock_stopped_at_idx on ragline.clock_readings (source_id, clock, stopped_at);

create table ragline.sync_proofs (
  id bigint generated always as identity,
  source_id bigint not null,
  run_id text,
  proven_at timestamptz default now() not null,
  is_listed boolean not null,
  documents bigint not null,
  hashed_documents bigint not null,
  entries bigint not null,
  largest_unseen_ratio double precision not null,
  difference_count bigint not null,
  source_error text,
  differences jsonb not null,
  seconds double precision not null,
  constraint sync_proofs_pkey primary key (id),
  constraint sync_proofs_source_id_fkey foreign key(source_id) references ragline.sources (id) on delete cascade
);

create index sync_proofs_source_id_proven_at_idx on ragline.sync_proofs (source_id, proven_at);

-- No key of the source: the receipt outlives it.
create table ragline.removal_receipts (
  id bigint generated always as identity,
  source text not null,
  collection text not null,
  removed_at timestamptz default now() not null,
  counts jsonb not null,
  constraint removal_receipts_pkey primary key (id)
);

-- The documents of sources of the kind push; content is null once one was deleted.
create table ragline.pushed_documents (
  source text not null,
  document_id text not null,
  content bytea,
  content_hash text,
  name text not null,
  is_text boolean not null,
  title text,
  metadata jsonb default '{}'::jsonb not null,
  principals text[],
  version bigint not null,
  changed_at timestamptz not null,
  deleted_at timestamptz,
  constraint pushed_documents_pkey primary key (source, document_id)
);

create index pushed_documents_source_version_idx on ragline.pushed_documents (source, version) where deleted_at is null;

create sequence ragline.push_versions;

create table ragline.source_notes (
  source text not null,
  key text not null,
  value jsonb not null,
  noted_at timestamptz default now() not null,
  constraint source_notes_pkey primary key (source, key)
);

-- Texts that wait for a vector. A worker deletes the rows that it embeds in the transaction that
-- keeps their vectors, so a worker that dies gives them back.
create table ragline.embedding_requests (
  embedding_space_id bigint not null,
  text_hash bytea not null,
  token_count integer not null,
  constraint embedding_requests_pkey primary key (embedding_space_id, text_hash),
  constraint embedding_requests_embedding_space_id_fkey foreign key(embedding_space_id) references ragline.embedding_spaces (id)
);

create index embedding_requests_embedding_space_id_token_count_idx on ragline.embedding_requests (embedding_space_id, token_count);

create index documents_source_id_idx on ragline.documents (source_id) where state <> 'ready';
create index documents_held_since_idx on ragline.documents (source_id) where held_since is not null;

update ragline.sources set first_listed_at = created_at where listed_at is not null;

alter table ragline.parses add column unreferenced_since timestamptz;
alter table ragline.embeddings add column unreferenced_since timestamptz;
