-- Stores one sync proof of a source.
insert into ragline.sync_proofs (
  source_id, run_id, is_listed, documents, hashed_documents, entries, largest_unseen_ratio,
  difference_count, differences, findings, source_error, seconds
)
values (
  cast(:source_id as bigint),
  cast(:run_id as text),
  cast(:is_listed as boolean),
  cast(:documents as bigint),
  cast(:hashed_documents as bigint),
  cast(:entries as bigint),
  cast(:largest_unseen_ratio as double precision),
  cast(:difference_count as bigint),
  cast(:differences as jsonb),
  cast(:findings as jsonb),
  cast(:source_error as text),
  cast(:seconds as double precision)
)
