-- Document ids that the listing holds more than once, the first few in order.
select document_id
from listed
group by document_id
having count(*) > 1
order by document_id
limit 5
