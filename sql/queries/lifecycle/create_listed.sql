-- Returns nothing; the listing of one source, kept for the length of a transaction.
create temporary table listed (
  document_id text not null,
  version text not null,
  changed_at timestamptz,
  is_new boolean default false not null
) on commit drop
