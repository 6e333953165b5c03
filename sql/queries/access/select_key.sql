-- Returns the key that has a public id, and the hash of its secret. Returns no row if the key is
-- unknown, revoked or expired.
select
  public_id,
  name,
  tenant,
  collections,
  scopes,
  principals,
  requests_per_minute,
  created_at,
  expires_at,
  revoked_at,
  secret_hash
from ragline.api_keys
where
  public_id = cast(:public_id as text)
  and revoked_at is null
  and (expires_at is null or expires_at > now())
