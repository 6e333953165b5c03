-- Claims documents of a source whose entries in a generation differ from the ledger. Returns (id,
-- document_id, chunking_id, chunk_count, has_same_chunks), in order of id, for ids after :after.
-- With :is_deletion, it claims the documents whose entries must be deleted (chunking_id is null).
-- Without it, it claims the other documents. `has_same_chunks` says that text and vector are
-- unchanged and only other columns differ. Documents that another worker has claimed are skipped.
select
  d.id,
  d.document_id,
  k.id as chunking_id,
  coalesce(k.chunk_count, 0) as chunk_count,
  coalesce(
    p.chunking_id = k.id
    and p.analysis_version is not distinct from cast(:analysis_version as text),
    false
  ) as has_same_chunks
{work_left/outdated_documents}
  and d.id > cast(:after as bigint)
  and (k.id is null) = cast(:is_deletion as boolean)
order by d.id
limit cast(:limit as integer)
for no key update of d skip locked
