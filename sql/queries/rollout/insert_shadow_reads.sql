-- Inserts many shadow reads, given as a JSON list. A read that is already stored is not changed.
insert into ragline.shadow_reads (
  id, request_id, read_at, collection, tenant, live_generation_id, candidate_id, live_ms, live_hits,
  candidate_ms, candidate_hits, overlap, rank_biased_overlap, error
)
select
  r.id,
  r.request_id,
  r.read_at,
  r.collection,
  r.tenant,
  r.live_generation_id,
  r.candidate_id,
  r.live_ms,
  r.live_hits,
  r.candidate_ms,
  r.candidate_hits,
  r.overlap,
  r.rank_biased_overlap,
  r.error
from jsonb_to_recordset(cast(:reads as jsonb)) as r (
  id uuid,
  request_id uuid,
  read_at timestamptz,
  collection text,
  tenant text,
  live_generation_id bigint,
  candidate_id bigint,
  live_ms real,
  live_hits integer,
  candidate_ms real,
  candidate_hits integer,
  overlap real,
  rank_biased_overlap real,
  error text
)
on conflict (id) do nothing
