-- Makes the given documents pending, so that they are indexed again in every generation. With
-- :is_reread, they are also read again.
with reopened as (
  update ragline.documents
  set
    state = case when state = 'ready' then 'pending' else state end,
    noticed_at = now(),
    read_version = case when cast(:is_reread as boolean) then null else read_version end
  where id = any(cast(:document_keys as bigint[])) and state in ('ready', 'pending')
)
delete from ragline.placements
where document_key = any(cast(:document_keys as bigint[]))
