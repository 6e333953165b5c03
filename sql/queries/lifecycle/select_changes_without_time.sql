-- Returns the ids of the documents that this listing made pending and that have no time of change,
-- in order. Returns no rows at the first listing, because it starts no clock.
select d.document_id
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id and s.first_listed_at is not null
where
  d.source_id = cast(:source_id as bigint)
  and d.state = 'pending'
  and d.noticed_at = now()
  and d.changed_at is null
order by d.document_id
