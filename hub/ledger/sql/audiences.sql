-- name: audience_add
insert into audiences (sync, destination, name, created_at) values (:sync, :destination, :name, :now)
on conflict (destination, name) do nothing

-- name: audience_by_name
select audience_id, sync, destination, name, remote_id, definition, generation, last_as_of, created_at, retired_at,
    purpose
from audiences where destination = :destination and name = :name

-- name: audience_by_id
select audience_id, sync, destination, name, remote_id, definition, generation, last_as_of, created_at, retired_at,
    purpose
from audiences where audience_id = :audience_id

-- name: audience_list
select audience_id, sync, destination, name, remote_id, definition, generation, last_as_of, created_at, retired_at,
    purpose
from audiences order by audience_id

-- name: audience_take_over
update audiences set sync = :sync, retired_at = null, generation = generation + 1
where audience_id = :audience_id and (sync <> :sync or retired_at is not null)

-- name: audience_rename
update audiences set sync = :now_named, generation = generation + 1 where sync = :was

-- name: schedule_rename
update or replace schedule set sync = :now_named where sync = :was

-- name: held_rename
update or replace held set sync = :now_named where sync = :was

-- name: audience_remote_id
update audiences set remote_id = :remote_id, generation = generation + 1
where audience_id = :audience_id and remote_id is not :remote_id

-- name: audience_definition
update audiences set definition = :definition, generation = generation + 1
where audience_id = :audience_id and definition is not :definition

-- name: audience_as_of
update audiences set last_as_of = max(coalesce(last_as_of, :as_of), :as_of) where audience_id = :audience_id

-- name: audience_as_of_back
update audiences set last_as_of = :as_of where audience_id = :audience_id

-- name: audience_retire
update audiences set retired_at = :now, generation = generation + 1
where audience_id = :audience_id and retired_at is null

-- name: audience_settled
select settled_until, settled_mark, known_mark, known_told from audiences
where audience_id = :audience_id and settled_generation = generation

-- name: audience_settle
update audiences set settled_generation = :generation, settled_mark = :mark, settled_until = :until,
    known_mark = null, known_told = null
where audience_id = :audience_id

-- name: audience_remember
update audiences set known_mark = :mark, known_told = :told
where audience_id = :audience_id and settled_generation = :generation

-- name: audience_changed
update audiences set generation = generation + 1 where audience_id = :audience_id

-- name: audience_forget_members
delete from membership where audience_id = :audience_id

-- name: audience_close_spells
insert into spells (audience_id, member_key, entered_at, delivered_at, sent_at, left_at)
select audience_id, member_key, entered_at, delivered_at, sent_at, :now
from membership where audience_id = :audience_id and sent_at is not null

-- name: audience_purpose
update audiences set purpose = :purpose where audience_id = :audience_id
