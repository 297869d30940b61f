-- name: standing_blocks
select address_key, channel, reason, recorded_at, origin, number from blocks where lifted_at is null order by number

-- name: highest_block
select coalesce(max(seq), 0) from sqlite_sequence where name = 'blocks'

-- name: blocks_since
select number, address_key, channel, reason from blocks where number > :number and lifted_at is null order by number

-- name: drop_older_block
delete from blocks
where address_key = ? and channel = ? and reason = ? and recorded_at < ? and lifted_at is null

-- name: add_block
insert into blocks (address_key, channel, reason, recorded_at, origin, written_at) values (?, ?, ?, ?, ?, ?)
on conflict (address_key, channel, reason) where lifted_at is null do nothing

-- name: lift_blocks
update blocks set lifted_at = :now
where address_key = :address_key and channel = :channel and lifted_at is null
    and (:reasons is null or reason in (select value from json_each(:reasons)))

-- name: blocks_of
select number, address_key, channel, reason, recorded_at, origin, lifted_at from blocks
where address_key in (select value from json_each(:keys)) order by number
