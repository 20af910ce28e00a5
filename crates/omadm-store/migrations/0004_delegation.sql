-- Delegations of devices between this server and others. `number` is the order in which they came to be known; `due` is when something
-- has to happen by itself, such as the end of a temporary one.
CREATE TABLE delegation (
    number   INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE,
    peer     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    role     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    version  BIGINT  NOT NULL,
    created  BIGINT  NOT NULL,
    updated  BIGINT  NOT NULL,
    due      BIGINT,
    document TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    UNIQUE (peer, name)
);
CREATE INDEX delegation_due ON delegation (due) WHERE due IS NOT NULL;

-- What a delegation is on one device. A part waits for a command, or for its time, or for nothing.
CREATE TABLE delegation_part (
    delegation BLOB   NOT NULL,
    device     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    waits_for  BLOB,
    due        BIGINT,
    record     TEXT   NOT NULL,
    PRIMARY KEY (delegation, device)
);
CREATE INDEX delegation_part_device ON delegation_part (device);
CREATE INDEX delegation_part_waits ON delegation_part (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX delegation_part_due ON delegation_part (due) WHERE due IS NOT NULL;

-- Messages to other servers that they have not answered yet; those to one server go out in the order of their numbers.
CREATE TABLE delegation_message (
    number     INTEGER PRIMARY KEY,
    peer       TEXT    NOT NULL,
    msg_id     TEXT    NOT NULL,
    delegation BLOB    NOT NULL,
    document   TEXT    NOT NULL,
    created    BIGINT  NOT NULL,
    attempts   BIGINT  NOT NULL,
    due        BIGINT  NOT NULL,
    UNIQUE (peer, msg_id)
);

-- Messages of other servers with their answers, so that one that comes again has no second effect.
CREATE TABLE delegation_seen (
    peer   TEXT   NOT NULL,
    msg_id TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    digest BLOB   NOT NULL,
    answer TEXT   NOT NULL,
    PRIMARY KEY (peer, msg_id)
);
CREATE INDEX delegation_seen_at ON delegation_seen (at);
