-- Those of some judged documents that a collection does not have now: (number, reason), in the
-- order of the lists. `number` is the position in the lists and starts at 1. A source of null means
-- every source of the collection.
select
  t.number,
  case
    when
      t.source is not null
      and not exists (
        select
        from ragline.sources as s
        join ragline.collections as c on c.id = s.collection_id
        where c.name = cast(:collection as text) and s.name = t.source
      )
      then 'unknown_source'
    when
      exists (
        select
        from ragline.documents as d
        join ragline.sources as s on s.id = d.source_id
        join ragline.collections as c on c.id = s.collection_id
        where
          c.name = cast(:collection as text)
          and d.document_id = t.document_id
          and (t.source is null or s.name = t.source)
      )
      then 'removed'
    else 'unknown_document'
  end as reason
from
  unnest(cast(:sources as text[]), cast(:document_ids as text[]))
  with ordinality as t (source, document_id, number)
where
  not exists (
    select
    from ragline.documents as d
    join ragline.sources as s on s.id = d.source_id
    join ragline.collections as c on c.id = s.collection_id
    where
      c.name = cast(:collection as text)
      and d.document_id = t.document_id
      and (t.source is null or s.name = t.source)
      and d.state not in ('missing', 'removed')
  )
order by t.number
