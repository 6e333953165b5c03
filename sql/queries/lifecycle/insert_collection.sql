-- Makes a collection; nothing happens when another process made it first.
insert into ragline.collections (name)
values (cast(:name as text))
on conflict (name) do nothing
