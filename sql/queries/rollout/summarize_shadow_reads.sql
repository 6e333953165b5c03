-- Returns one row: figures of the shadow reads of :live_id and :candidate_id within :seconds. The
-- medians and the means are those of the reads without an error.
select
  count(*) as reads,
  count(error) as errors,
  percentile_cont(0.5) within group (order by live_ms) filter (where error is null) as live_p50_ms,
  percentile_cont(0.5) within group (order by candidate_ms) filter (where error is null)
    as candidate_p50_ms,
  count(*) filter (where error is null and live_hits = 0) as live_zero_results,
  count(*) filter (where candidate_hits = 0) as candidate_zero_results,
  avg(overlap)::double precision as overlap,
  avg(rank_biased_overlap)::double precision as rank_biased_overlap
from ragline.shadow_reads
where
  candidate_id = cast(:candidate_id as bigint)
  and live_generation_id = cast(:live_id as bigint)
  and read_at >= now() - make_interval(secs => cast(:seconds as double precision))
