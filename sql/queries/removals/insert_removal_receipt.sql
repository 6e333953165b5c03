-- Stores the receipt of a source that was removed. Returns one row (id, removed_at).
insert into ragline.removal_receipts (source, collection, counts)
values (cast(:source as text), cast(:collection as text), cast(:counts as jsonb))
returning id, removed_at
