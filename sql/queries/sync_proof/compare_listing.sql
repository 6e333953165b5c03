-- Returns the differences between the listing in `listed` and the ledger: (document_id, what,
-- versions), in order of document id. `versions` contains the version of the source and the version
-- of the ledger, as text. The source can have changed since its last listing, so a difference is
-- not always a fault.
select
  coalesce(l.document_id, d.document_id) as document_id,
  case
    when d.id is null then 'not in the ledger'
    when l.document_id is null then 'gone from the source'
    else 'another version in the source'
  end as what,
  jsonb_build_array(l.version, d.version)::text as versions
from listed as l
full join (
  select d.id, d.document_id, d.version
  from ragline.documents as d
  where
    d.source_id = cast(:source_id as bigint)
    and d.state not in ('missing', 'removed')
    and d.held_since is null
) as d on d.document_id = l.document_id
where
  (l.document_id is null or d.id is null or l.version <> d.version)
  and not exists (
    select
    from ragline.documents as h
    where
      h.source_id = cast(:source_id as bigint)
      and h.document_id = l.document_id
      and h.held_since is not null
  )
order by 1
