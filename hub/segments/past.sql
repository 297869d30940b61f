-- A segment at several instants: who came, who went, who came back, and who bought afterwards.
-- past_instants (step, at) are numbered from 0, oldest first; past_members (step, person_id) are their members.

-- name: changes
-- The first instant has no entries: nobody knows who was in before it.
with stays as (
    select step, person_id,
           lag(step) over (partition by person_id order by step) as before,
           lead(step) over (partition by person_id order by step) as next
    from past_members),
came as (
    select step, count(*) as members,
           count(*) filter (step > 0 and before is distinct from step - 1) as entered,
           count(*) filter (before < step - 1) as returned
    from stays group by step),
went as (select step + 1 as step, count(*) as gone from stays where next is distinct from step + 1 group by step)
select i.at, coalesce(c.members, 0), coalesce(c.entered, 0), coalesce(w.gone, 0), coalesce(c.returned, 0)
from past_instants as i left join came as c using (step) left join went as w using (step)
order by i.at

-- name: bought
-- Per instant: members and everybody else known then, and how many of each had a counted order within the time after.
with bought as (
    select distinct i.step, o.person_id
    from past_instants as i join orders as o on o.counted and o.placed_at > i.at and o.placed_at <= i.at + $within)
select i.at, count(*) filter (m.person_id is not null), count(*) filter (m.person_id is not null and b.person_id is not null),
       count(*) filter (m.person_id is null), count(*) filter (m.person_id is null and b.person_id is not null)
from past_instants as i
join people as p on p.known_from is null or p.known_from <= i.at
left join past_members as m on m.step = i.step and m.person_id = p.person_id
left join bought as b on b.step = i.step and b.person_id = p.person_id
where i.at + $within <= $until
group by i.at order by i.at

-- name: flapping
with stays as (select person_id, step, lag(step) over (partition by person_id order by step) as before from past_members)
select count(distinct person_id), count(distinct person_id) filter (before < step - 1) from stays
