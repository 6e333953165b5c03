-- Inserts a collection. If another process inserted it first, nothing happens.
insert into ragline.collections (name)
values (cast(:name as text))
on conflict (name) do nothing
