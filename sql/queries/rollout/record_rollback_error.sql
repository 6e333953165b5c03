-- Stores why the watch could not roll back a generation that is still live.
update ragline.promotion_watches as w
set rollback_error = cast(:error as text)
where
  w.generation_id = cast(:generation_id as bigint)
  and exists (
    select
    from ragline.collections as c
    where c.live_generation_id = w.generation_id
  )
