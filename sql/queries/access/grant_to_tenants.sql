-- Lets the role of tenants read the tables of entries that were made since.
select ragline.grant_to_tenants() as granted
