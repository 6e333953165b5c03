-- Returns the first five document ids that the listing contains more than once, in order.
select document_id
from listed
group by document_id
having count(*) > 1
order by document_id
limit 5
