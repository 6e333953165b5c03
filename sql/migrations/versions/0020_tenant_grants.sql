-- Each table with a policy for tenants is readable for them. The status of a collection reads the
-- watches of promotions.
select ragline.grant_to_tenants();
