-- Version 4. What an audience is for, so that consent can be asked when no sync says so any more.

alter table audiences add column purpose text;
