-- Records that a generation's counts were compared with its entries just now.
update ragline.generations
set counted_at = now()
where id = cast(:generation_id as bigint)
