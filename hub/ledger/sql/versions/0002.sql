-- Version 2. What an audience was last found to hold, and which generation of it that was.

alter table audiences add column settled_generation integer;
alter table audiences add column settled_mark text;
alter table audiences add column settled_until integer;
