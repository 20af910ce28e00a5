-- Desired state. What the server remembers of a device and the profiles that apply to it (opaque here), and versions of profiles that it
-- has for itself: with the device's row, so that a check-in reads no more for it.
ALTER TABLE device ADD COLUMN desired TEXT;
ALTER TABLE device ADD COLUMN pinned TEXT;

-- A profile whose `removed` is set has no assignments; its versions stay, as devices that had it may have to give up what it brought.
CREATE TABLE profile (
    name    TEXT   NOT NULL PRIMARY KEY,
    newest  BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    removed BIGINT
);

-- Never changed.
CREATE TABLE profile_version (
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    document   TEXT   NOT NULL,
    PRIMARY KEY (name, version)
);

-- Which version a group of devices has; the empty text stands for all devices. `previous` is what it had before.
CREATE TABLE profile_assignment (
    profile     TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    previous    BIGINT,
    since       BIGINT NOT NULL,
    assigned_by TEXT   NOT NULL,
    PRIMARY KEY (profile, target)
);

-- One row, which counts changes to assignments: who keeps them in memory reads them again when it has gone on.
CREATE TABLE profile_clock (
    id      BIGINT NOT NULL PRIMARY KEY,
    changes BIGINT NOT NULL
);
INSERT INTO profile_clock (id, changes) VALUES (1, 0);

-- How far a device is with each profile.
CREATE TABLE device_profile (
    device     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    profile    TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    reason     TEXT,
    since      BIGINT NOT NULL,
    PRIMARY KEY (device, generation, profile)
);
CREATE INDEX device_profile_state ON device_profile (profile, state, device);

-- How many devices are in which state, in several rows each, so that devices that change theirs at the same time need not wait for one.
CREATE TABLE profile_count (
    profile TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    shard   BIGINT NOT NULL,
    devices BIGINT NOT NULL,
    PRIMARY KEY (profile, state, shard)
);
