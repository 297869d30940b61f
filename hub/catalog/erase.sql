-- Finding and removing everything that is held about people.

-- name: wanted
create or replace temporary table wanted(kind varchar, system varchar, value varchar)

-- name: want_given
insert into wanted select kind, system, value from given

-- name: want_rest
insert into wanted
with people as (
    select distinct i.person_id from merged.identities as i join wanted as w
    on w.kind = i.kind and w.value = i.value and (i.kind <> 'customer' or w.system = i.system)
    where i.kind <> 'phone' or i.value in (select value from merged.identities where kind = 'phone' group by value having count(*) = 1))
select i.kind, i.system, i.value from merged.identities as i where person_id in (select person_id from people)
union all
select distinct 'visitor', e.source, e.visitor_id from merged.events as e
where e.person_id in (select person_id from people) and e.visitor_id is not null
union all
-- Their browsers are known also where an event names them and may not be attributed.
select distinct 'visitor', e.source, e.visitor_id from merged.events as e
join merged.identities as i on i.kind = 'customer' and i.system = e.system and i.value = e.user_id
where i.person_id in (select person_id from people) and e.visitor_id is not null

-- name: want_people
insert into wanted
select kind, system, value from merged.identities where list_contains($people, person_id)
union all
select distinct 'visitor', source, visitor_id from merged.events where list_contains($people, person_id) and visitor_id is not null
union all
select distinct 'visitor', e.source, e.visitor_id from merged.events as e
join merged.identities as i on i.kind = 'customer' and i.system = e.system and i.value = e.user_id
where list_contains($people, i.person_id) and e.visitor_id is not null

-- name: wanted_addresses
select distinct case when kind = 'customer' then 'customer:' || system || ':' || value else kind || ':' || value end
from wanted where kind <> 'visitor' order by 1

-- name: match_email
{column} in (select value from wanted where kind = 'email')

-- name: match_phone
({column} in (select value from wanted where kind = 'phone'){alone})

-- name: match_customer
{column} in (select value from wanted where kind = 'customer' and system = $system)

-- name: match_subject
({column} in (select value from wanted where kind in ('email', 'phone') or (kind = 'customer' and system = $system)))

-- name: match_visitor
{column} in (select value from wanted where kind = 'visitor' and system = $source)

-- name: match_child
exists (select 1 from {parent} as p where p.{key} = {child}.{key} and ({match}))

-- name: count_matching
select count(*) from {target} where {match}

-- name: select_matching
select {columns} from {target} where {match}

-- name: delete_matching
delete from {target} where {match}

-- name: hide_shown
update {target} set shown_email = case when shown_email not in (select value from wanted where kind = 'email') then shown_email end,
                    shown_phone = case when shown_phone not in (select value from wanted where kind = 'phone') then shown_phone end
where shown_email in (select value from wanted where kind = 'email') or shown_phone in (select value from wanted where kind = 'phone')

-- name: match_rejected
exists (select 1 from wanted_texts as w where
    (w.kind = 'email' and contains(lower(coalesce(raw, '') || ' ' || coalesce(reason, '')), w.text))
    or (w.kind = 'phone' and contains(regexp_replace(coalesce(raw, '') || ' ' || coalesce(reason, ''), '[^0-9a-zA-Z"]', '', 'g'), w.text))
    or (w.kind = 'customer' and regexp_matches(coalesce(raw, '') || ' ' || coalesce(reason, ''),
                                               '(^|[^0-9A-Za-z])' || regexp_escape(w.text) || '([^0-9A-Za-z]|$)')))

-- name: delete_rejected
delete from rejected_rows where {match}

-- name: select_rejected
select source, table_name, origin, record, reason, raw, loaded_at from rejected_rows where {match}

-- name: delete_seen
delete from consent_seen where email in (select value from wanted where kind = 'email')
    or phone in (select value from wanted where kind = 'phone')
    or subject in (select value from wanted where kind in ('email', 'phone'))
    or exists (select 1 from wanted as w where w.kind = 'customer' and w.system = consent_seen.system and w.value = consent_seen.subject)

-- name: delete_merged
delete from merged_ids where exists (
    select 1 from wanted as w where w.kind = 'customer' and w.system = merged_ids.system
    and w.value in (merged_ids.customer_id, merged_ids.into_id))

-- name: copy
checkpoint;
attach '{fresh}' as fresh;
copy from database {old} to fresh;
detach fresh

-- name: person_rows
select * from merged.{table} where list_contains($people, person_id)
