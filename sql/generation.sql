-- The table for the entries of one generation. Each row has all data that a search needs, so that a
-- search needs no join. When a generation is created, the name of its table replaces
-- `entries_generation`, and the dimension of its vectors replaces `dimension` in the type. The HNSW
-- index is created later, when the table has enough rows.
create table ragline.entries_generation (
  id bigint generated always as identity primary key,
  document_key bigint not null,
  ordinal integer not null,
  chunk_id bigint not null,
  document_id text not null,
  source text not null,
  title text,
  header text not null,
  text text not null,
  heading_path text[] not null,
  page integer,
  char_start integer not null,
  char_end integer not null,
  metadata jsonb not null,
  principals text[],
  embedding halfvec(dimension) not null,
  lexical sparsevec(268435456) not null,
  tsv tsvector not null,
  text_hash bytea not null,
  content_hash text not null,
  source_version text not null,
  source_changed_at timestamptz,
  parser_fingerprint text not null,
  run_id text not null,
  indexed_at timestamptz not null,
  constraint entries_generation_document_key_ordinal_key unique (document_key, ordinal)
);

create index entries_generation_tsv_idx on ragline.entries_generation using gin (tsv);

create index entries_generation_metadata_idx on ragline.entries_generation
using gin (metadata jsonb_path_ops);

do $$
begin
  if exists (select from pg_roles where rolname = 'ragline_tenant') then
    grant select on ragline.entries_generation to ragline_tenant;
  end if;
end
$$;
