-- Whether any key was made and not revoked: one row.
select exists (select from ragline.api_keys where revoked_at is null) as has_keys
