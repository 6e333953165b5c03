-- A table of term weights has a few columns of each entry of a generation. It is created with the
-- table of entries, so generations of earlier releases have none.

-- Copies what a statement changed in a table of entries to the generation's table of term weights,
-- whose name is the argument. So both tables are equal after each transaction, also after those of
-- a release that does not know the second table.
create or replace function ragline.copy_term_weights() returns trigger
language plpgsql
as $function$
declare
  copy text := 'ragline.' || quote_ident(tg_argv[0]);
begin
  if tg_op = 'INSERT' then
    execute 'insert into ' || copy || ' (id, principals, lexical, tsv)
      select c.id, c.principals, c.lexical, strip(c.tsv)
      from changed as c
      order by c.id';
  elsif tg_op = 'DELETE' then
    execute 'delete from ' || copy || ' as t using changed as c where t.id = c.id';
  else
    execute 'update ' || copy || ' as t
      set principals = c.principals, lexical = c.lexical, tsv = strip(c.tsv)
      from changed as c
      where t.id = c.id';
  end if;
  return null;
end
$function$;

-- As before, and the tables of term weights.
create or replace function ragline.grant_to_tenants() returns void
language plpgsql
as $function$
declare
  readable text;
begin
  if not exists (select from pg_roles where rolname = 'ragline_tenant') then
    return;
  end if;
  if not pg_has_role(current_user, 'ragline_tenant', 'member') then
    begin
      execute 'grant ragline_tenant to ' || quote_ident(current_user);
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise warning 'this user may not take the role ragline_tenant; see docs/keys.md';
    end;
  end if;
  grant usage on schema ragline to ragline_tenant;
  grant select on ragline.embedding_spaces, ragline.given_feedback to ragline_tenant;
  grant insert, update on ragline.feedback, ragline.hit_feedback to ragline_tenant;
  grant select, insert, update on ragline.pushed_documents to ragline_tenant;
  grant usage on sequence ragline.push_versions to ragline_tenant;
  grant insert, update on ragline.change_signals to ragline_tenant;
  for readable in
    select p.tablename
    from pg_policies as p
    where p.schemaname = 'ragline' and p.policyname = 'of_tenant'
    union
    select c.relname
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'ragline' and c.relkind = 'r' and c.relname ~ '^(entries|term_weights)_[0-9]+$'
  loop
    execute 'grant select on ragline.' || quote_ident(readable) || ' to ragline_tenant';
  end loop;
end
$function$;

select ragline.grant_to_tenants();
