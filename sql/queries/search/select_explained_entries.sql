-- Returns the entries of a document: (id, is_admitted, is_matching), in the order of the document.
-- `is_admitted` says whether :principals may read the entry. `is_matching` says whether it
-- satisfies the condition of a search, which replaces the marked condition.
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
