-- Keys are looked up audience by audience, so that the large tables need no index beside their key.

-- name: withheld_rows
select count(*), max(person_key), cast(group_concat(person_key, x'0a') as blob), cast(group_concat(code, x'0a') as blob)
from (
    select person_key, code from withheld where audience_id = :audience_id and person_key > :after
    order by person_key limit :size
)

-- name: withheld_digest
select withheld_digest from audiences where audience_id = :audience_id

-- name: set_withheld_digest
-- What was told of the audience when it was settled told of those who were withheld then.
update audiences set withheld_digest = :digest, known_mark = null, known_told = null where audience_id = :audience_id

-- name: withhold
insert into withheld (audience_id, person_key, code, since) values (?, ?, ?, ?)
on conflict (audience_id, person_key) do update set code = excluded.code, since = excluded.since

-- name: release
delete from withheld where audience_id = :audience_id and person_key in (select value from json_each(:keys))

-- name: withheld_counts
select code, count(*) from withheld where audience_id = :audience_id group by code order by code

-- name: holdout_digest
select holdout_digest from audiences where audience_id = :audience_id

-- name: set_holdout_digest
update audiences set holdout_digest = :digest where audience_id = :audience_id

-- name: holdouts_standing
select person_key from holdouts where audience_id = :audience_id and left_at is null

-- name: hold_out
insert into holdouts (audience_id, person_key, entered_at) values (?, ?, ?)

-- name: end_holdout
update holdouts set left_at = :now
where audience_id = :audience_id and left_at is null and person_key in (select value from json_each(:keys))

-- name: state_membership
select m.audience_id, a.sync, a.destination, a.name, m.member_key, m.state, m.entered_at, m.delivered_at, m.sent_at,
    null as left_at, m.reason
from membership as m join audiences as a using (audience_id)
where m.audience_id in (select audience_id from audiences) and m.member_key in (select value from json_each(:keys)) order by a.audience_id

-- name: state_spells
select s.audience_id, a.sync, a.destination, a.name, s.member_key, 'n' as state, s.entered_at, s.delivered_at,
    s.sent_at, s.left_at, null as reason
from spells as s join audiences as a using (audience_id)
where s.audience_id in (select audience_id from audiences) and s.member_key in (select value from json_each(:keys)) order by s.left_at

-- name: state_withheld
select a.sync, w.code, w.since from withheld as w join audiences as a using (audience_id)
where w.audience_id in (select audience_id from audiences) and w.person_key in (select value from json_each(:keys)) order by a.audience_id

-- name: state_holdouts
select a.sync, h.entered_at, h.left_at from holdouts as h join audiences as a using (audience_id)
where h.audience_id in (select audience_id from audiences) and h.person_key in (select value from json_each(:keys)) order by h.entered_at

-- name: spells_of_audience
select member_key, entered_at, delivered_at, left_at from spells where audience_id = :audience_id order by rowid

-- name: holdouts_of_audience
select person_key, entered_at, left_at from holdouts where audience_id = :audience_id order by rowid

-- name: erase_membership
delete from membership where audience_id in (select audience_id from audiences)
    and member_key in (select value from json_each(:keys))

-- name: erase_spells
delete from spells where audience_id in (select audience_id from audiences)
    and member_key in (select value from json_each(:keys))

-- name: erase_withheld
delete from withheld where audience_id in (select audience_id from audiences)
    and person_key in (select value from json_each(:keys))

-- name: erase_holdouts
delete from holdouts where audience_id in (select audience_id from audiences)
    and person_key in (select value from json_each(:keys))

-- name: erase_deliveries
delete from deliveries where member_key in (select value from json_each(:keys))

-- name: forget_digests
update audiences set withheld_digest = null, holdout_digest = null, settled_mark = null, known_mark = null, known_told = null

-- name: open_rows
select 'intents' as place, intent_id as id, rows from intents where rows is not null
union all
select 'receipts', receipt_id, rows from receipts where rows is not null

-- name: rewrite_intent
update intents set rows = :rows, members = :members where intent_id = :id

-- name: rewrite_receipt
update receipts set rows = :rows, members = :members where receipt_id = :id
