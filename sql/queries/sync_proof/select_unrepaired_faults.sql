-- Returns the faults of the last sync proof of a source that no sync has repaired since then:
-- (document_id, what), in order of document id. Such a document has been pending since that proof,
-- and no other check compares it.
select d.document_id, difference ->> 1 as what
from (
  select p.proven_at, p.differences
  from ragline.sync_proofs as p
  where p.source_id = cast(:source_id as bigint)
  order by p.id desc
  limit 1
) as last
cross join lateral jsonb_array_elements(last.differences) as difference
join ragline.documents as d
  on
    d.source_id = cast(:source_id as bigint)
    and d.document_id = difference ->> 0
where d.state = 'pending' and d.noticed_at <= last.proven_at
order by d.document_id
