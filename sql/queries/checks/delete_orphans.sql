-- Deletes entries of documents that the ledger does not know, or that must serve nothing and are
-- placed nowhere.
delete from ragline.entries_generation as e
where
  e.document_key = any(cast(:document_keys as bigint[]))
  and not exists (
    select
    from ragline.documents as d
    where
      d.id = e.document_key
      and d.state not in ('missing', 'removed', 'quarantined', 'unsupported')
  )
