-- How long the ready documents of a source took from being noticed to being visible, the
-- latest 20,000 of them.
select
  extract(epoch from d.visible_at - d.noticed_at)::double precision as seconds
from ragline.documents as d
join ragline.sources as s on s.id = d.source_id
where s.name = cast(:source as text) and d.state = 'ready' and d.visible_at >= d.noticed_at
order by d.visible_at desc
limit 20000
