-- Queues each distinct text of a source that a generation needs and that has no vector. The row
-- count is the number of new requests.
insert into ragline.embedding_requests (embedding_space_id, text_hash, token_count)
select cast(:embedding_space_id as bigint), c.text_hash, max(c.token_count)
{work_left/unembedded_texts}
group by c.text_hash
order by c.text_hash
on conflict (embedding_space_id, text_hash) do nothing
