-- Revokes a key. The row count is 0 if the key is unknown or already revoked.
update ragline.api_keys
set revoked_at = now()
where public_id = cast(:public_id as text) and revoked_at is null
