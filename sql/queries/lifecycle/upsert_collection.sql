-- The key of a collection, made when it is new. One row: id.
insert into ragline.collections (name)
values (cast(:name as text))
on conflict (name) do update set name = excluded.name
returning id
