-- Returns one row (has_keys): whether there is a key that is not revoked.
select exists (select from ragline.api_keys where revoked_at is null) as has_keys
