-- Writes a pushed document and gives it the next version. Returns one row (version), or no row if
-- the stored document is equal.
insert into ragline.pushed_documents as d (
  source, document_id, content, content_hash, name, is_text, title, metadata, principals, version,
  changed_at, tenant
)
values (
  cast(:source as text), cast(:document_id as text), cast(:content as bytea),
  cast(:content_hash as text), cast(:name as text), cast(:is_text as boolean),
  cast(:title as text), cast(:metadata as jsonb), cast(:principals as text[]),
  nextval('ragline.push_versions'), now(), cast(:tenant as text)
)
on conflict (source, document_id) do update
set
  content = excluded.content,
  content_hash = excluded.content_hash,
  name = excluded.name,
  is_text = excluded.is_text,
  title = excluded.title,
  metadata = excluded.metadata,
  principals = excluded.principals,
  version = excluded.version,
  changed_at = excluded.changed_at,
  deleted_at = null
where
  (d.content_hash, d.name, d.is_text, d.title, d.metadata, d.principals)
  is distinct from (
    excluded.content_hash, excluded.name, excluded.is_text, excluded.title, excluded.metadata,
    excluded.principals
  )
returning d.version
