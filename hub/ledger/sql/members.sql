-- name: membership_chunk
-- What few members have (data_hash, due_at) is packed with their keys, for those alone.
select
    count(*),
    max(member_key),
    cast(group_concat(member_key, x'0a') as blob),
    cast(group_concat(state, '') as blob),
    cast(group_concat(coalesce(attributes_hash, ''), x'0a') as blob),
    cast(group_concat(iif(data_hash is null, null, member_key || ' ' || data_hash), x'0a') as blob),
    cast(group_concat(iif(due_at is null, null, member_key || ' ' || due_at), x'0a') as blob)
from (
    select member_key, state, attributes_hash, data_hash, due_at
    from membership where audience_id = :audience_id and member_key > :after order by member_key limit :size
)

-- name: membership_times_chunk
select
    count(*),
    max(member_key),
    cast(group_concat(member_key, x'0a') as blob),
    cast(group_concat(state, '') as blob),
    cast(group_concat(coalesce(attributes_hash, ''), x'0a') as blob),
    cast(group_concat(iif(data_hash is null, null, member_key || ' ' || data_hash), x'0a') as blob),
    cast(group_concat(iif(due_at is null, null, member_key || ' ' || due_at), x'0a') as blob),
    cast(group_concat(coalesce(entered_at, ''), x'0a') as blob),
    cast(group_concat(coalesce(delivered_at, ''), x'0a') as blob),
    cast(group_concat(coalesce(sent_at, ''), x'0a') as blob)
from (
    select member_key, state, attributes_hash, data_hash, due_at, entered_at, delivered_at, sent_at
    from membership where audience_id = :audience_id and member_key > :after order by member_key limit :size
)

-- name: membership_counts
select state, count(*) from membership where audience_id = :audience_id group by state

-- name: member_handles
select member_key, handle, state from membership
where audience_id = :audience_id and member_key in (select value from json_each(:keys)) order by member_key

-- name: member_standing
select member_key, state, attributes_hash from membership
where audience_id = :audience_id and member_key in (select value from json_each(:keys))

-- name: last_deliveries_chunk
select count(*), max(member_key), cast(group_concat(member_key, x'0a') as blob),
    cast(group_concat(sent_at, x'0a') as blob)
from (
    select member_key, max(sent_at) as sent_at
    from (
        select member_key, sent_at from membership
        where audience_id = :audience_id and sent_at is not null and member_key > :after
        union all
        select member_key, sent_at from spells
        where audience_id = :audience_id and sent_at is not null and member_key > :after
    )
    group by member_key order by member_key limit :size
)

-- name: write_intent
insert into intents (run_id, audience_id, op, batch_key, rows, members, repeatable, capped, as_of, written_at)
values (:run_id, :audience_id, :op, :batch_key, :rows, :members, :repeatable, :capped, :as_of, :now)

-- name: intent_rows
select rows from intents where intent_id = :intent_id

-- name: settle_intent
update intents set settled_at = :now, rows = null where intent_id = :intent_id

-- name: drop_intents
delete from intents where settled_at < :before

-- name: add_delivered
insert into membership (audience_id, member_key, state, attributes_hash, handle, entered_at, delivered_at, sent_at)
values (?, ?, 'h', ?, ?, ?, ?, ?)
on conflict (audience_id, member_key) do update set
    state = 'h', attributes_hash = excluded.attributes_hash, handle = excluded.handle, sent_at = excluded.sent_at,
    entered_at = coalesce(membership.entered_at, excluded.entered_at),
    delivered_at = coalesce(membership.delivered_at, excluded.delivered_at),
    data_hash = null, due_at = null, attempts = 0, receipt_id = null, reason = null

-- name: add_accepted
insert into membership (audience_id, member_key, state, attributes_hash, handle, entered_at, sent_at, receipt_id)
values (?, ?, 'a', ?, ?, ?, ?, ?)
on conflict (audience_id, member_key) do update set
    state = 'a', attributes_hash = excluded.attributes_hash, handle = excluded.handle, sent_at = excluded.sent_at,
    entered_at = coalesce(membership.entered_at, excluded.entered_at),
    data_hash = null, due_at = null, attempts = 0, receipt_id = excluded.receipt_id, reason = null

-- name: add_unknown
insert into membership (audience_id, member_key, state, attributes_hash, handle, entered_at, sent_at, reason)
values (?, ?, 'u', ?, ?, ?, ?, ?)
on conflict (audience_id, member_key) do update set
    state = 'u', attributes_hash = excluded.attributes_hash, handle = excluded.handle, sent_at = excluded.sent_at,
    entered_at = coalesce(membership.entered_at, excluded.entered_at),
    data_hash = null, due_at = null, attempts = 0, receipt_id = null, reason = excluded.reason

-- name: add_refused
-- Whom an earlier attempt may have brought in may still be held, whatever became of this one: the handle is kept.
insert into membership (audience_id, member_key, state, data_hash, reason)
values (?, ?, 'x', ?, ?)
on conflict (audience_id, member_key) do update set
    state = case when state in ('h', 'r', 'u') then state
        when state = 'a' and delivered_at is not null then 'u' else 'x' end,
    handle = case when state in ('h', 'r', 'u') or state = 'a' and delivered_at is not null then handle end,
    delivered_at = case when state in ('h', 'r', 'u', 'a') then delivered_at end,
    attributes_hash = null, entered_at = null, data_hash = excluded.data_hash, due_at = null, attempts = 0,
    receipt_id = null, reason = excluded.reason

-- name: add_failed
-- A first passing failure is due at once, at the next tick; then the pause triples, up to a day. A member that may
-- be held already keeps its state.
insert into membership (audience_id, member_key, state, entered_at, due_at, attempts, reason)
values (?1, ?2, 'n', ?3, ?4, 1, ?6)
on conflict (audience_id, member_key) do update set
    state = case when membership.state = 'x' then 'n'
        when membership.state = 'a' then case when membership.delivered_at is null then 'n' else 'u' end
        else membership.state end,
    entered_at = coalesce(membership.entered_at, excluded.entered_at),
    due_at = max(?4, ?5 + min(86400000000, case membership.attempts when 0 then 0 when 1 then 300000000
        when 2 then 900000000 when 3 then 2700000000 when 4 then 8100000000 when 5 then 24300000000
        else 86400000000 end)),
    attempts = membership.attempts + 1, receipt_id = null, reason = excluded.reason

-- name: add_failed_sent
-- A failure after which the member may be held nevertheless: the handle is kept, so that it can be removed.
insert into membership (audience_id, member_key, state, attributes_hash, handle, entered_at, sent_at, due_at, attempts,
    reason)
values (?1, ?2, 'u', ?3, ?4, ?5, ?7, ?6, 1, ?8)
on conflict (audience_id, member_key) do update set
    state = 'u', attributes_hash = excluded.attributes_hash, handle = excluded.handle, sent_at = excluded.sent_at,
    entered_at = coalesce(membership.entered_at, excluded.entered_at), data_hash = null,
    due_at = max(?6, ?7 + min(86400000000, case membership.attempts when 0 then 0 when 1 then 300000000
        when 2 then 900000000 when 3 then 2700000000 when 4 then 8100000000 when 5 then 24300000000
        else 86400000000 end)),
    attempts = membership.attempts + 1, receipt_id = null, reason = excluded.reason

-- name: update_settled
update membership set state = 'h', attributes_hash = ?1, handle = coalesce(?2, handle), sent_at = ?3, due_at = null,
    attempts = 0, receipt_id = null, reason = ?4, delivered_at = coalesce(delivered_at, ?5)
where audience_id = ?6 and member_key = ?7

-- name: update_accepted
update membership set state = 'a', attributes_hash = ?1, sent_at = ?2, due_at = null, receipt_id = ?3
where audience_id = ?4 and member_key = ?5

-- name: update_failed
update membership set state = 'h', attributes_hash = case state when 'a' then null else attributes_hash end,
    due_at = max(?1, ?2 + case attempts when 0 then 0 when 1 then 300000000 when 2 then 900000000
        when 3 then 2700000000 when 4 then 8100000000 when 5 then 24300000000 else 86400000000 end),
    attempts = attempts + 1, receipt_id = null, reason = ?3
where audience_id = ?4 and member_key = ?5

-- name: close_spells
insert into spells (audience_id, member_key, entered_at, delivered_at, sent_at, left_at)
select m.audience_id, m.member_key, m.entered_at, m.delivered_at, m.sent_at, :now
from membership as m
where m.audience_id = :audience_id and m.member_key in (select value from json_each(:keys)) and m.sent_at is not null
    and not exists (select 1 from receipts as r where r.receipt_id = m.receipt_id and r.settled_at is null)

-- name: drop_members
delete from membership
where audience_id = :audience_id and member_key in (select value from json_each(:keys))
    and not exists (select 1 from receipts as r where r.receipt_id = membership.receipt_id and r.settled_at is null)

-- name: removal_waits_for_receipt
-- What is left of the removed ones was accepted in a job that is still open: removed again when it settles.
update membership set state = 'r', due_at =
    (select r.deadline from receipts as r where r.receipt_id = membership.receipt_id)
where audience_id = :audience_id and member_key in (select value from json_each(:keys))

-- name: removal_failed
update membership set state = 'r', due_at = max(?1, ?2 + case attempts when 0 then 0 when 1 then 300000000
        when 2 then 900000000 when 3 then 2700000000 when 4 then 8100000000 when 5 then 24300000000
        else 86400000000 end),
    attempts = attempts + 1, reason = ?3
where audience_id = ?4 and member_key = ?5

-- name: removal_accepted
update membership set state = 'r', due_at = ?1, receipt_id = ?2 where audience_id = ?3 and member_key = ?4

-- name: removal_unknown
update membership set state = 'r', due_at = ?1, reason = ?2 where audience_id = ?3 and member_key = ?4

-- name: add_delivery
insert into deliveries (member_key, audience_id, delivered_at) values (?, ?, ?)

-- name: repeat_delivery
insert into deliveries (member_key, audience_id, delivered_at)
select ?2, audience_id, delivered_at from deliveries where delivery_id = ?1

-- name: recent_deliveries
select member_key, delivered_at from deliveries
where delivered_at >= :since and (:audience_id is null or audience_id = :audience_id) order by delivery_id

-- name: deliveries_after
select delivery_id, member_key from deliveries where delivery_id > :after and delivered_at >= :since
order by delivery_id

-- name: drop_deliveries
delete from deliveries where delivered_at < :before

-- name: take_over
-- Held, and told nothing by hub: without a hash of attributes, so that who stays is updated once.
insert into membership (audience_id, member_key, state, handle, entered_at) values (?, ?, 'h', ?, ?)
on conflict (audience_id, member_key) do nothing

-- name: take_back_deliveries
-- Who asks for another attempt says that the unknown one brought nothing: it counts neither for a pause nor for a cap,
-- not for the account either, of which a row with the same time tells.
delete from deliveries where audience_id = :audience_id and delivered_at in (
    select d.delivered_at from deliveries as d join membership as m using (audience_id, member_key)
    where m.audience_id = :audience_id and m.state = 'u' and d.delivered_at >= m.sent_at)
  and member_key not in (select member_key from membership where audience_id = :audience_id and state <> 'u')

-- name: make_due
-- Who was refused becomes absent, so that the next run adds them. Who is unknown may be held and stays unknown: due at
-- the beginning of time means that somebody asked for another attempt, however little the destination likes two.
update membership set attempts = 0,
    due_at = case when state = 'u' and :unknown then 0 end,
    sent_at = case when state = 'u' and :unknown then null else sent_at end,
    data_hash = case when state = 'u' and :unknown then null else data_hash end,
    state = case when state = 'x' and :refused then 'n' else state end
where audience_id = :audience_id
  and (due_at is not null or (state = 'u' and :unknown) or (state = 'x' and :refused))

-- name: forgive
-- Members whose refusal was not theirs: as they were before, and due at the next run.
update membership set state = case state when 'x' then 'n' else state end, due_at = null, data_hash = null
where audience_id = :audience_id and state in ('x', 'u') and member_key in (select value from json_each(:keys))
