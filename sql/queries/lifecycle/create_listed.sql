-- Creates the table of one source's listing, which exists until the transaction ends.
create temporary table listed (
  document_id text not null,
  version text not null,
  changed_at timestamptz,
  is_new boolean default false not null
) on commit drop
