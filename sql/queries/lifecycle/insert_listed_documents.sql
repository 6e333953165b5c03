-- Inserts the documents that the ledger does not contain. The row count is their number. A document
-- that is listed again already has a row. An anti-join here would scan the rows that this statement
-- inserts, which takes quadratic time while the table is small. The clock of a change starts at the
-- time of the change. It does not start before the time at which the source was last known to be
-- unchanged. The documents of the first listing are not changes, so their clocks do not start.
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
