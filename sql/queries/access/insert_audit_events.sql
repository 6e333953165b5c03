-- Inserts one audit event for each object of the JSON list :events.
insert into ragline.audit_events (
  happened_at, request_id, key_id, tenant, method, path, collection, generation_id, status
)
select
  happened_at, request_id, key_id, tenant, method, path, collection, generation_id, status
from jsonb_to_recordset(cast(:events as jsonb)) as e (
  happened_at timestamptz,
  request_id text,
  key_id text,
  tenant text,
  method text,
  path text,
  collection text,
  generation_id bigint,
  status integer
)
