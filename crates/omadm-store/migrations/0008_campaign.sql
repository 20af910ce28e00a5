-- What asked for a command: `profile:NAME@VERSION` or `campaign:UUID`. It is awaited until its campaign has counted its end.
ALTER TABLE command ADD COLUMN origin TEXT;
ALTER TABLE command ADD COLUMN awaited BIGINT NOT NULL DEFAULT 0;
CREATE INDEX command_awaited ON command (origin, finished, device) WHERE awaited = 1;

CREATE TABLE package (
    id           BLOB   NOT NULL PRIMARY KEY,
    name         TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    model        TEXT,
    content_type TEXT   NOT NULL,
    size         BIGINT NOT NULL,
    digest       TEXT   NOT NULL,
    signature    BLOB,
    signed_by    TEXT,
    created      BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    UNIQUE (name, version)
);

-- Campaigns. `due` is when something has to happen by itself. The figures count devices by state, and change with these.
CREATE TABLE campaign (
    id          BLOB   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL UNIQUE,
    state       TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    updated     BIGINT NOT NULL,
    due         BIGINT,
    package     BLOB,
    target      TEXT   NOT NULL,
    document    TEXT   NOT NULL,
    progress    TEXT   NOT NULL,
    n_open      BIGINT NOT NULL,
    n_done      BIGINT NOT NULL,
    n_failed    BIGINT NOT NULL,
    n_retry     BIGINT NOT NULL,
    n_waiting   BIGINT NOT NULL,
    n_skipped   BIGINT NOT NULL,
    n_cancelled BIGINT NOT NULL,
    n_gone      BIGINT NOT NULL
);
CREATE INDEX campaign_due ON campaign (due) WHERE due IS NOT NULL;
CREATE INDEX campaign_package ON campaign (package) WHERE package IS NOT NULL;

-- What a campaign is on one device. The sequence numbers are those of the commands that were queued last.
CREATE TABLE campaign_device (
    device     TEXT   NOT NULL,
    campaign   BLOB   NOT NULL,
    target     TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    attempts   BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    first_seq  BIGINT NOT NULL,
    last_seq   BIGINT NOT NULL,
    due        BIGINT,
    status     BIGINT,
    reason     TEXT,
    updated    BIGINT NOT NULL,
    PRIMARY KEY (device, campaign)
);
CREATE INDEX campaign_device_state ON campaign_device (campaign, state, device);
CREATE INDEX campaign_device_due ON campaign_device (campaign, due) WHERE due IS NOT NULL;
