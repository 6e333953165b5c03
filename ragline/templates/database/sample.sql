-- A sample table for Postgres and SQLite: articles of a gardening magazine.
create table articles (
    id integer primary key,
    title text not null,
    body text not null,
    author text not null,
    updated_at text not null,
    is_published integer not null
);
insert into articles (id, title, body, author, updated_at, is_published) values
    (1, 'Watering tomatoes',
     'Water tomatoes in the morning and only at the root. Wet leaves invite blight. In a hot week a '
     || 'plant in a pot needs two litres a day.',
     'Ida', '2026-05-04T08:00:00Z', 1),
    (2, 'Pruning apple trees',
     'Prune apple trees in late winter, before the buds open. Remove dead wood first, then branches '
     || 'that cross each other.',
     'Noor', '2026-02-11T08:00:00Z', 1),
    (3, 'Keeping slugs away',
     'Slugs avoid dry ground. Water early, collect slugs at dusk, and put a copper ring around young '
     || 'lettuce.',
     'Ida', '2026-06-20T08:00:00Z', 1),
    (4, 'Planning next year',
     'This draft lists the beds and what will grow in them.',
     'Noor', '2026-09-01T08:00:00Z', 0);
