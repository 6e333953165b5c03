-- Ends the breach of a generation that an operator has made live again.
update ragline.promotion_watches
set breached_at = null, breached_figures = '{}', reason = null, rollback_error = null
where generation_id = cast(:generation_id as bigint) and breached_at is not null
