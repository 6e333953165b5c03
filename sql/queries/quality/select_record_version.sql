-- Returns one row that changes with each recorded search of a collection between :start and :end,
-- and with each feedback: (searches, last_search_at, feedback, last_feedback_at).
select
  r.searches,
  r.last_search_at,
  f.feedback,
  f.last_feedback_at
from
  (
    select
      count(*) as searches,
      max(requested_at) as last_search_at
    from ragline.search_requests
    where
      collection = cast(:collection as text)
      and requested_at >= cast(:start as timestamptz)
      and requested_at < cast(:end as timestamptz)
  ) as r,
  (
    select
      count(*) as feedback,
      max(given_at) as last_feedback_at
    from ragline.given_feedback
  ) as f
