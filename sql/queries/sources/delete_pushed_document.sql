-- Deletes the content of a pushed document and gives it the next version. Returns one row
-- (version), or no row if the document does not exist.
update ragline.pushed_documents
set
  content = null,
  content_hash = null,
  name = '',
  title = null,
  metadata = '{}'::jsonb,
  principals = null,
  version = nextval('ragline.push_versions'),
  changed_at = now(),
  deleted_at = now()
where
  source = cast(:source as text)
  and document_id = cast(:document_id as text)
  and deleted_at is null
returning version
