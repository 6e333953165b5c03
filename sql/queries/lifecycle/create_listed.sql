-- Returns nothing; the listing of one source, kept for the length of a transaction.
create temporary table listed (
  document_id text not null,
  version text not null,
  changed_at timestamptz
) on commit drop
