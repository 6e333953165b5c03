-- Returns one row (salt): the salt of a day. If the day has no salt, :salt is stored and returned.
insert into ragline.client_salts (day, salt)
values (cast(:day as date), cast(:salt as bytea))
on conflict (day) do update
set salt = client_salts.salt
returning salt
