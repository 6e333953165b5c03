-- The table for the entries of one generation. Each row has all data that a search needs, so that a
-- search needs no join. When a generation is created, the names of its tables replace
-- `entries_generation` and `term_weights_generation`, and the dimension of its vectors replaces
-- `dimension` in the type. The HNSW index is created later, when the table has enough rows.
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

-- The columns of the entries that the keyword leg reads. It reads up to `keyword_bound` rows, and
-- these rows are on fewer pages than those of the other table. The triggers below write them.
create table ragline.term_weights_generation (
  id bigint primary key,
  principals text[],
  lexical sparsevec(268435456) not null,
  tsv tsvector not null
);

create index term_weights_generation_tsv_idx on ragline.term_weights_generation using gin (tsv);

create trigger copy_inserted after insert on ragline.entries_generation
referencing new table as changed
for each statement execute function ragline.copy_term_weights('term_weights_generation');

create trigger copy_updated after update on ragline.entries_generation
referencing new table as changed
for each statement execute function ragline.copy_term_weights('term_weights_generation');

create trigger copy_deleted after delete on ragline.entries_generation
referencing old table as changed
for each statement execute function ragline.copy_term_weights('term_weights_generation');

do $$
begin
  if exists (select from pg_roles where rolname = 'ragline_tenant') then
    grant select on ragline.entries_generation, ragline.term_weights_generation to ragline_tenant;
  end if;
end
$$;
