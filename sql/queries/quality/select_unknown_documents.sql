-- Returns the given document ids that no source of a collection contains now, in order.
select t.document_id
from unnest(cast(:document_ids as text[])) as t (document_id)
where
  not exists (
    select
    from ragline.documents as d
    join ragline.sources as s on s.id = d.source_id
    join ragline.collections as c on c.id = s.collection_id
    where
      c.name = cast(:collection as text)
      and d.document_id = t.document_id
      and d.state not in ('missing', 'removed')
  )
order by t.document_id
