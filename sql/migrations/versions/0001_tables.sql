-- The shared tables of Ragline, as ragline/storage/schema.py declares them.

create table ragline.collections (
  id bigint generated always as identity,
  name text not null,
  live_generation_id bigint,
  created_at timestamptz default now() not null,
  constraint collections_pkey primary key (id),
  constraint collections_name_key unique (name)
);

create table ragline.embedding_spaces (
  id bigint generated always as identity,
  fingerprint text not null,
  model text not null,
  dimension integer not null,
  description jsonb not null,
  created_at timestamptz default now() not null,
  constraint embedding_spaces_pkey primary key (id),
  constraint embedding_spaces_fingerprint_key unique (fingerprint)
);

create table ragline.parses (
  id bigint generated always as identity,
  fingerprint text not null,
  parser_fingerprint text not null,
  file_type text not null,
  title text,
  language text,
  page_count integer,
  text text not null,
  elements jsonb not null,
  created_at timestamptz default now() not null,
  constraint parses_pkey primary key (id),
  constraint parses_fingerprint_key unique (fingerprint)
);

create table ragline.search_requests (
  id uuid not null,
  requested_at timestamptz default now() not null,
  collection text not null,
  generation_id bigint not null,
  query text not null,
  mode text not null,
  top_k integer not null,
  is_reranked boolean not null,
  hit_count integer not null,
  embed_ms real not null,
  retrieve_ms real not null,
  rerank_ms real not null,
  total_ms real not null,
  hits jsonb not null,
  constraint search_requests_pkey primary key (id)
);

create index search_requests_requested_at_idx on ragline.search_requests (requested_at);

create table ragline.evaluations (
  id bigint generated always as identity,
  run_id text,
  collection text not null,
  generation_id bigint not null,
  golden_hash text not null,
  mode text not null,
  is_reranked boolean not null,
  measures jsonb not null,
  query_count integer not null,
  failed_count integer not null,
  seconds double precision not null,
  evaluated_at timestamptz default now() not null,
  constraint evaluations_pkey primary key (id)
);

create index evaluations_collection_evaluated_at_idx on ragline.evaluations (collection, evaluated_at);

create table ragline.generations (
  id bigint generated always as identity,
  collection_id bigint not null,
  embedding_space_id bigint not null,
  chunker_fingerprint text not null,
  chunking jsonb not null,
  language text not null,
  state text not null,
  entry_count bigint default 0 not null,
  lexeme_count bigint default 0 not null,
  weighted_length double precision,
  created_at timestamptz default now() not null,
  promoted_at timestamptz,
  retired_at timestamptz,
  constraint generations_pkey primary key (id),
  constraint generations_state_check check (state in ('building', 'live', 'retired', 'dropped')),
  constraint generations_collection_id_fkey foreign key(collection_id) references ragline.collections (id),
  constraint generations_embedding_space_id_fkey foreign key(embedding_space_id) references ragline.embedding_spaces (id)
);

create unique index generations_target_key on ragline.generations (collection_id, embedding_space_id, chunker_fingerprint, language) where state <> 'dropped';

create table ragline.sources (
  id bigint generated always as identity,
  collection_id bigint not null,
  name text not null,
  kind text not null,
  visible_within interval not null,
  forgotten_within interval not null,
  listed_at timestamptz,
  created_at timestamptz default now() not null,
  constraint sources_pkey primary key (id),
  constraint sources_collection_id_fkey foreign key(collection_id) references ragline.collections (id),
  constraint sources_name_key unique (name)
);

create table ragline.chunkings (
  id bigint generated always as identity,
  parse_id bigint not null,
  chunker_fingerprint text not null,
  chunk_count integer not null,
  created_at timestamptz default now() not null,
  constraint chunkings_pkey primary key (id),
  constraint chunkings_parse_id_chunker_fingerprint_key unique (parse_id, chunker_fingerprint),
  constraint chunkings_parse_id_fkey foreign key(parse_id) references ragline.parses (id)
);

create table ragline.embeddings (
  embedding_space_id bigint not null,
  text_hash bytea not null,
  embedding halfvec not null,
  created_at timestamptz default now() not null,
  constraint embeddings_pkey primary key (embedding_space_id, text_hash),
  constraint embeddings_embedding_space_id_fkey foreign key(embedding_space_id) references ragline.embedding_spaces (id)
);

create table ragline.feedback (
  request_id uuid not null,
  document_id text not null,
  is_useful boolean not null,
  given_at timestamptz default now() not null,
  constraint feedback_pkey primary key (request_id, document_id),
  constraint feedback_request_id_fkey foreign key(request_id) references ragline.search_requests (id) on delete cascade
);

create table ragline.lexemes (
  generation_id bigint not null,
  lexeme text not null,
  document_frequency bigint not null,
  constraint lexemes_pkey primary key (generation_id, lexeme),
  constraint lexemes_generation_id_fkey foreign key(generation_id) references ragline.generations (id) on delete cascade
);

create table ragline.documents (
  id bigint generated always as identity,
  source_id bigint not null,
  document_id text not null,
  state text not null,
  version text not null,
  read_version text,
  read_by text,
  content_hash text,
  parse_id bigint,
  parsed_content_hash text,
  metadata jsonb default '{}'::jsonb not null,
  error_name text,
  error text,
  attempts integer default 0 not null,
  next_attempt_at timestamptz,
  changed_at timestamptz,
  noticed_at timestamptz default now() not null,
  missing_since timestamptz,
  visible_at timestamptz,
  removed_at timestamptz,
  constraint documents_pkey primary key (id),
  constraint documents_source_id_document_id_key unique (source_id, document_id),
  constraint documents_state_check check (state in ('pending', 'ready', 'failed', 'quarantined', 'unsupported', 'removed')),
  constraint documents_source_id_fkey foreign key(source_id) references ragline.sources (id),
  constraint documents_parse_id_fkey foreign key(parse_id) references ragline.parses (id)
);

create index documents_parse_id_idx on ragline.documents (parse_id);

create table ragline.chunks (
  id bigint generated always as identity,
  chunking_id bigint not null,
  ordinal integer not null,
  header text not null,
  text text not null,
  text_hash bytea not null,
  heading_path text[] not null,
  page integer,
  char_start integer not null,
  char_end integer not null,
  token_count integer not null,
  constraint chunks_pkey primary key (id),
  constraint chunks_chunking_id_ordinal_key unique (chunking_id, ordinal),
  constraint chunks_chunking_id_fkey foreign key(chunking_id) references ragline.chunkings (id)
);

create index chunks_text_hash_idx on ragline.chunks (text_hash);

create table ragline.source_syncs (
  run_id text not null,
  source_id bigint not null,
  started_at timestamptz default now() not null,
  finished_at timestamptz,
  error text,
  listed bigint default 0 not null,
  added bigint default 0 not null,
  changed bigint default 0 not null,
  unchanged bigint default 0 not null,
  removed bigint default 0 not null,
  failed bigint default 0 not null,
  quarantined bigint default 0 not null,
  unsupported bigint default 0 not null,
  chunks bigint default 0 not null,
  embeddings_made bigint default 0 not null,
  embeddings_reused bigint default 0 not null,
  seconds double precision default 0 not null,
  constraint source_syncs_pkey primary key (run_id, source_id),
  constraint source_syncs_source_id_fkey foreign key(source_id) references ragline.sources (id)
);

create index source_syncs_source_id_started_at_idx on ragline.source_syncs (source_id, started_at);

create table ragline.placements (
  generation_id bigint not null,
  document_key bigint not null,
  chunking_id bigint not null,
  content_hash text not null,
  entry_count integer not null,
  placed_at timestamptz default now() not null,
  constraint placements_pkey primary key (generation_id, document_key),
  constraint placements_generation_id_fkey foreign key(generation_id) references ragline.generations (id) on delete cascade,
  constraint placements_document_key_fkey foreign key(document_key) references ragline.documents (id),
  constraint placements_chunking_id_fkey foreign key(chunking_id) references ragline.chunkings (id)
);

create index placements_document_key_idx on ragline.placements (document_key);

alter table ragline.collections add constraint collections_live_generation_id_fkey foreign key(live_generation_id) references ragline.generations (id);

