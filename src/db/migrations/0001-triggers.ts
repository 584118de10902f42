// 0001-triggers.ts — makes deleting by hand right: `delete from images;` in psql leaves no wrong counter and no lost file.
//
// Statement-level with transition tables: one pass for 50,000 rows instead of 50,000 calls. None refuses a deletion.
// Trash rows are updated on conflict, not skipped: the update locks the row, so that a sweep which still sees the user of
// a file waits for this transaction instead of forgetting the file.

export const triggers = `
create function after_images_deleted() returns trigger language plpgsql as $$
begin
  insert into trash (file)
  select distinct source_file from gone where source_file is not null order by 1
  on conflict (file) do update set at = excluded.at;

  -- In id order, as everywhere: two deletions that meet in several batches would otherwise wait for each other.
  perform 1 from batches where id in (select batch_id from gone) order by id for update;
  update batches b
  set total = greatest(b.total - g.rows, 0),
      succeeded = greatest(b.succeeded - g.succeeded, 0),
      failed = greatest(b.failed - g.failed, 0),
      canceled = greatest(b.canceled - g.canceled, 0)
  from (
    select batch_id, count(*) as rows,
           count(*) filter (where state = 'succeeded') as succeeded,
           count(*) filter (where state = 'failed') as failed,
           count(*) filter (where state = 'canceled') as canceled
    from gone group by batch_id) g
  where b.id = g.batch_id;
  return null;
end $$;
create trigger images_deleted after delete on images
  referencing old table as gone for each statement execute function after_images_deleted();

create function after_renditions_deleted() returns trigger language plpgsql as $$
begin
  insert into trash (file)
  select distinct file from gone where file is not null order by 1
  on conflict (file) do update set at = excluded.at;
  return null;
end $$;
create trigger renditions_deleted after delete on renditions
  referencing old table as gone for each statement execute function after_renditions_deleted();

create function after_batches_deleted() returns trigger language plpgsql as $$
begin
  delete from images where batch_id in (select id from gone);
  delete from products where batch_id in (select id from gone);
  insert into trash (file)
  select distinct catalog from gone where catalog is not null order by 1
  on conflict (file) do update set at = excluded.at;
  return null;
end $$;
create trigger batches_deleted after delete on batches
  referencing old table as gone for each statement execute function after_batches_deleted();
`;
