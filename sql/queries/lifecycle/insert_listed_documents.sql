-- Writes the documents that the ledger does not know yet; the row count is what was added.
-- What comes back has its row. (An anti-join instead would search the rows that this statement
-- itself writes: quadratic while the table is small.)
-- A change's clock starts at its own time, but not before the source was last proven unchanged.
-- What a source had when it was first listed is no change: no clock runs.
insert into ragline.documents (
  source_id, document_id, state, version, changed_at, noticed_at, clock_started_at
)
select
  cast(:source_id as bigint), l.document_id, 'pending', l.version, l.changed_at, now(),
  case
    when s.first_listed_at is not null
      then least(now(), greatest(l.changed_at, cast(:proven_at as timestamptz)))
  end
from listed as l
join ragline.sources as s on s.id = cast(:source_id as bigint)
where l.is_new
on conflict (source_id, document_id) do nothing
