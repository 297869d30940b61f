-- Version 3. By what less is to be read, that an audience is as it was found then, and what was told of it.

alter table audiences add column known_mark text;
alter table audiences add column known_told text;
