-- The salt of a day: the one on record, else :salt, which is then on record.
insert into ragline.client_salts (day, salt)
values (cast(:day as date), cast(:salt as bytea))
on conflict (day) do update
set salt = client_salts.salt
returning salt
