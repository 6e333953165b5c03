-- The entries of a document in its order: (id, is_admitted, is_matching). The filter of a search
-- takes the place of the marked condition.
select
  e.id,
  coalesce(
    cast(:principals as text[]) is null
    or e.principals is null
    or e.principals && cast(:principals as text[]),
    false
  ) as is_admitted,
  coalesce(true /* filter */, false) as is_matching
from ragline.entries_generation as e
where e.document_key = cast(:document_key as bigint)
order by e.ordinal
