-- Inserts a key with the hash of its secret.
insert into ragline.api_keys (
  name, public_id, secret_hash, tenant, collections, scopes, principals, requests_per_minute,
  expires_at
)
values (
  cast(:name as text),
  cast(:public_id as text),
  cast(:secret_hash as bytea),
  cast(:tenant as text),
  cast(:collections as text[]),
  cast(:scopes as text[]),
  cast(:principals as text[]),
  cast(:requests_per_minute as integer),
  now() + cast(:lifetime as interval)
)
