-- All keys, in order of making. Secrets are not kept.
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
