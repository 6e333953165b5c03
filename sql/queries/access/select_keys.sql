-- Returns all keys in the order of creation, without the hashes of their secrets.
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
  revoked_at
from ragline.api_keys
order by id
