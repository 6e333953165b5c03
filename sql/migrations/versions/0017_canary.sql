-- Whether the caller of a search belongs to the canary.
alter table ragline.search_requests
add column if not exists is_canary boolean default false not null;
