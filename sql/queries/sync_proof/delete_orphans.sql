-- Deletes entries whose document must not be served, or is not in the ledger under this key.
delete from ragline.entries_generation as e
where
  e.document_key = any(cast(:document_keys as bigint[]))
  and not exists (
    select
    from ragline.documents as d
    where
      d.id = e.document_key
      and d.document_id = e.document_id
      and d.state not in ('missing', 'removed', 'quarantined', 'unsupported')
  )
