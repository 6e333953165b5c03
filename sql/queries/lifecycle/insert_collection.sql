-- Inserts a collection; nothing happens when another process inserted it first.
insert into ragline.collections (name)
values (cast(:name as text))
on conflict (name) do nothing
