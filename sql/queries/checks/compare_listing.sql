-- What the listing in `listed` and the ledger do not agree on: (document_id, document_key, what),
-- in order of id. What the source changed after it was listed last is no difference yet.
select
  coalesce(l.document_id, d.document_id) as document_id,
  d.id as document_key,
  case
    when d.id is null then 'not in the ledger'
    when l.document_id is null then 'gone from the source'
    else 'another version in the source'
  end as what
from listed as l
full join (
  select d.id, d.document_id, d.version
  from ragline.documents as d
  where
    d.source_id = cast(:source_id as bigint)
    and d.state not in ('missing', 'removed')
    and d.held_since is null
) as d on d.document_id = l.document_id
join ragline.sources as s on s.id = cast(:source_id as bigint)
where
  (l.document_id is null or d.id is null or l.version <> d.version)
  and (l.changed_at is null or l.changed_at <= s.listed_at)
  and not exists (
    select
    from ragline.documents as h
    where
      h.source_id = cast(:source_id as bigint)
      and h.document_id = l.document_id
      and h.held_since is not null
  )
order by 1
