-- name: start_run
insert into runs (run_id, command, as_of, started_at) values (:run_id, :command, :as_of, :now)

-- name: set_run_as_of
update runs set as_of = :as_of where run_id = :run_id

-- name: end_run
update runs set ended_at = :now, status = :status, report = :report where run_id = :run_id

-- name: list_runs
select run_id, command, as_of, started_at, ended_at, status, report
from runs order by started_at desc, rowid desc limit :limit

-- name: segment_sizes
select r.as_of, json_extract(s.value, '$.name'), json_extract(s.value, '$.members')
from runs as r, json_each(r.report, '$.segments') as s
where r.as_of is not null and r.as_of < :before and json_extract(s.value, '$.error') is null
order by r.as_of, r.rowid

-- name: one_run
select run_id, command, as_of, started_at, ended_at, status, report from runs where run_id = :run_id

-- name: began_before
select started_at from runs where rowid < (select rowid from runs where run_id = :run_id) order by rowid desc limit 1

-- name: interrupt_runs
update runs set ended_at = :now, status = 'failed', report = :report where ended_at is null

-- name: open_intents
select intent_id, audience_id, op, rows, repeatable, capped, as_of, written_at
from intents where settled_at is null order by intent_id

-- name: recover_added
insert into membership (audience_id, member_key, state, attributes_hash, handle, entered_at, sent_at)
values (?, ?, 'u', ?, ?, ?, ?)
on conflict (audience_id, member_key) do update set
    state = 'u', attributes_hash = excluded.attributes_hash, handle = excluded.handle, sent_at = excluded.sent_at,
    entered_at = coalesce(membership.entered_at, excluded.entered_at), due_at = null, attempts = 0,
    receipt_id = null, data_hash = null, reason = null

-- name: recover_updated
update membership set attributes_hash = ?, sent_at = ? where audience_id = ? and member_key = ?

-- name: recover_removed
update membership set state = 'r', due_at = null
where audience_id = :audience_id and member_key in (select value from json_each(:keys))
