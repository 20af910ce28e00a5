-- Types are those that SQLite and PostgreSQL share: TEXT, BIGINT (times in microseconds since 1970), BLOB.
-- Every hot table that a device owns is keyed by device and enrolment generation first, so that it can be sharded by device
-- and no row of an earlier enrolment can be taken for one of the present.

-- The one row that every message reads and writes. Its session comes last: engine state, and the reply for a repeated message.
-- `version` counts the writes that the next message of the session has to know of.
CREATE TABLE device (
    device         TEXT   NOT NULL PRIMARY KEY,
    generation     BIGINT NOT NULL,
    last_seq       BIGINT NOT NULL,
    open_commands  BIGINT NOT NULL,
    enrolled       BIGINT NOT NULL,
    last_contact   BIGINT,
    label          TEXT   NOT NULL,
    protocol       TEXT,
    facts          TEXT   NOT NULL,
    inventory      TEXT,
    version        BIGINT NOT NULL,
    session        BIGINT,
    ended          BIGINT,
    updated        BIGINT,
    request_digest BLOB,
    state          BLOB,
    reply          BLOB
);

-- Last generation of devices that are not enrolled now: an enrolment to come counts on from it.
CREATE TABLE removed_device (
    device     TEXT   NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE credential (
    device     TEXT   NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    username   TEXT   NOT NULL UNIQUE,
    verifier   BLOB   NOT NULL
);

-- How devices are notified. `due` is when the next notification has to go out.
CREATE TABLE push (
    device       TEXT   NOT NULL PRIMARY KEY,
    generation   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    addresses    TEXT   NOT NULL,
    registration TEXT,
    wanted       BIGINT,
    next_id      BIGINT NOT NULL,
    sent         BIGINT,
    attempts     BIGINT NOT NULL,
    due          BIGINT,
    day          BIGINT NOT NULL,
    day_count    BIGINT NOT NULL
);
CREATE INDEX push_due ON push (due) WHERE due IS NOT NULL;

-- A command is open while `finished` is null. Every index that the request path reads holds open commands only, so a
-- history of any length costs it nothing.
CREATE TABLE command (
    device        TEXT   NOT NULL,
    generation    BIGINT NOT NULL,
    seq           BIGINT NOT NULL,
    id            BLOB   NOT NULL,
    state         TEXT   NOT NULL,
    attempts      BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    sent          BIGINT,
    finished      BIGINT,
    expires       BIGINT NOT NULL,
    status        BIGINT,
    verb          TEXT   NOT NULL,
    address       TEXT   NOT NULL,
    supersede_key TEXT,
    payload       BLOB,
    created_by    TEXT   NOT NULL,
    args          TEXT   NOT NULL,
    reason        TEXT,
    result        TEXT,
    PRIMARY KEY (device, generation, seq)
);
CREATE UNIQUE INDEX command_id ON command (id);
CREATE INDEX command_open ON command (device, generation, seq) WHERE finished IS NULL;
CREATE INDEX command_key ON command (device, generation, supersede_key)
    WHERE finished IS NULL AND supersede_key IS NOT NULL;
CREATE INDEX command_expires ON command (expires) WHERE finished IS NULL;
CREATE INDEX command_finished ON command (finished) WHERE finished IS NOT NULL;

-- Cold: one row for each session there was, numbered in the order in which they began.
CREATE TABLE session_log (
    log        INTEGER PRIMARY KEY,
    device     TEXT    NOT NULL,
    generation BIGINT  NOT NULL,
    session    BIGINT  NOT NULL,
    started    BIGINT  NOT NULL,
    updated    BIGINT  NOT NULL,
    messages   BIGINT  NOT NULL,
    outcome    TEXT    NOT NULL,
    UNIQUE (device, generation, session)
);
CREATE INDEX session_log_started ON session_log (started);

-- Cold: the messages of sessions. Those of sessions at the same time are side by side, so that a commit writes few pages.
CREATE TABLE trace (
    log          BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    from_device  BIGINT NOT NULL,
    http_status  BIGINT,
    length       BIGINT NOT NULL,
    summary      TEXT   NOT NULL,
    content_type TEXT   NOT NULL,
    notes        TEXT   NOT NULL,
    body         BLOB   NOT NULL,
    PRIMARY KEY (log, number)
);

-- `command_seq` names the command that a payload was queued with; it goes when that command goes.
CREATE TABLE payload (
    device       TEXT   NOT NULL,
    generation   BIGINT NOT NULL,
    id           BLOB   NOT NULL,
    stored       BIGINT NOT NULL,
    command_seq  BIGINT,
    content_type TEXT   NOT NULL,
    body         BLOB   NOT NULL,
    PRIMARY KEY (device, generation, id)
);
CREATE UNIQUE INDEX payload_id ON payload (id);
CREATE INDEX payload_stored ON payload (stored) WHERE command_seq IS NULL;

-- Last known tree. Paths compare by octets, which is the order of addresses.
CREATE TABLE tree (
    device     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    moid       TEXT   NOT NULL,
    miid       TEXT   NOT NULL,
    path       TEXT   NOT NULL,
    seen       BIGINT NOT NULL,
    value      TEXT,
    PRIMARY KEY (device, generation, moid, miid, path)
) WITHOUT ROWID;

-- Cache validators of instances of which `tree` holds all, as it was with this validator.
CREATE TABLE validator (
    device     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    moid       TEXT   NOT NULL,
    miid       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    PRIMARY KEY (device, generation, moid, miid)
) WITHOUT ROWID;

-- What a device goes on doing after the command that asked for it, by which it is known. Its payload stays as long as it does, with
-- `command_seq` -1.
CREATE TABLE standing (
    device     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    target     TEXT   NOT NULL,
    id         BLOB   NOT NULL,
    payload    BLOB,
    since      BIGINT NOT NULL,
    reported   BIGINT,
    digest     BLOB,
    PRIMARY KEY (device, generation, kind, target)
) WITHOUT ROWID;
CREATE UNIQUE INDEX standing_id ON standing (id);

-- The server's own log; it outlives enrolments. AUTOINCREMENT keeps a cursor from being given twice after pruning.
CREATE TABLE event (
    cursor     INTEGER PRIMARY KEY AUTOINCREMENT,
    device     TEXT,
    generation BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    body       TEXT   NOT NULL
);
CREATE INDEX event_device ON event (device, generation, cursor) WHERE device IS NOT NULL;
CREATE INDEX event_at ON event (at);

CREATE TABLE ddf (
    name   TEXT   NOT NULL PRIMARY KEY,
    moids  TEXT   NOT NULL,
    stored BIGINT NOT NULL,
    text   TEXT   NOT NULL
);

-- Pages for the users of devices.
CREATE TABLE page (
    name   TEXT   NOT NULL PRIMARY KEY,
    stored BIGINT NOT NULL,
    text   TEXT   NOT NULL
);

CREATE TABLE token (
    name     TEXT   NOT NULL PRIMARY KEY,
    verifier BLOB   NOT NULL,
    created  BIGINT NOT NULL,
    expires  BIGINT
);
