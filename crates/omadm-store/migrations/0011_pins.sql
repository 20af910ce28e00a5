-- Versions of a profile below `first` are of before it was removed: what devices have of them for themselves counts no more.
ALTER TABLE profile ADD COLUMN first BIGINT NOT NULL DEFAULT 1;
UPDATE profile SET first = newest + 1 WHERE removed IS NOT NULL;

-- What `profile_clock` showed when it was assigned: of this and what a campaign has given a device the later one counts.
ALTER TABLE profile_assignment ADD COLUMN clock BIGINT NOT NULL DEFAULT 0;

-- The groups (a JSON list) to which the campaign is kept, of somebody who sees no other devices; absent: it is for all devices.
ALTER TABLE campaign ADD COLUMN of_groups TEXT;
