-- One row: whether a key exists that is not revoked.
select exists (select from ragline.api_keys where revoked_at is null) as has_keys
