-- The codes of the tokens of each text: a vector of `embeddings` has at most one row here. A vector
-- that an older release of Ragline has written has none. The codes are in a table of their own, so
-- that a vector is read without them, and so that they are deleted with it.
create table if not exists ragline.token_codes (
  embedding_space_id bigint not null,
  text_hash bytea not null,
  codes bytea not null,
  constraint token_codes_pkey primary key (embedding_space_id, text_hash),
  constraint token_codes_embedding_space_id_text_hash_fkey
    foreign key (embedding_space_id, text_hash)
    references ragline.embeddings (embedding_space_id, text_hash) on delete cascade
);

-- The bits of codes are random, so to compress them takes time and saves no space.
alter table ragline.token_codes alter column codes set storage external;

-- The rotation with which the codes of a space are made, and the time since which each vector of the
-- space has codes. Both are null in a space that an older release has written.
alter table ragline.embedding_spaces add column if not exists token_rotation bytea;
alter table ragline.embedding_spaces add column if not exists coded_at timestamptz;

-- Codes belong to a text, so they are a tenant's when one of its chunks has the text.
alter table ragline.token_codes enable row level security;
drop policy if exists of_tenant on ragline.token_codes;
create policy of_tenant on ragline.token_codes to public
using (exists (select from ragline.chunks as c where c.text_hash = token_codes.text_hash));

select ragline.grant_to_tenants();
