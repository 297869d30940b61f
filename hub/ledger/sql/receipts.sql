-- name: add_receipt
insert into receipts (audience_id, op, batch_key, receipt, rows, members, repeatable, capped, as_of, accepted_at,
    deadline, look_at)
values (:audience_id, :op, :batch_key, :receipt, :rows, :members, :repeatable, :capped, :as_of, :now, :deadline,
    :look_at)

-- name: open_receipts
select receipt_id, audience_id, op, batch_key, receipt, rows, members, repeatable, capped, as_of, accepted_at,
    deadline, look_at, looks
from receipts where audience_id = :audience_id and settled_at is null order by receipt_id

-- name: count_receipts
select count(*) from receipts where audience_id = :audience_id and settled_at is null

-- name: look_later
update receipts set look_at = :look_at, looks = looks + 1 where receipt_id = :receipt_id

-- name: settle_receipt
update receipts set settled_at = :now, rows = null where receipt_id = :receipt_id

-- name: still_waiting
select member_key, state from membership
where audience_id = :audience_id and receipt_id = :receipt_id
    and member_key in (select value from json_each(:keys))

-- name: remove_again
update membership set due_at = null, receipt_id = null
where audience_id = :audience_id and state = 'r' and receipt_id = :receipt_id
