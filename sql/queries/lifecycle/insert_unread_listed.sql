-- Adds the documents of folders that a listing could not read, with their versions in the ledger.
-- The folders of one source do not overlap. Documents whose removal is held are not added, so they
-- stay held.
insert into listed (document_id, version, changed_at)
select d.document_id, d.version, d.changed_at
from ragline.documents as d
where
  d.source_id = cast(:source_id as bigint)
  and d.state not in ('missing', 'removed')
  and d.held_since is null
  and exists (
    select
    from unnest(cast(:folders as text[])) as f (folder)
    where starts_with(d.document_id, f.folder)
  )
  and not exists (select from listed as l where l.document_id = d.document_id)
