-- People. `group_names` are names of groups whose devices they see, as a JSON array; null is all devices.
CREATE TABLE person (
    name     TEXT   NOT NULL PRIMARY KEY,
    role     TEXT   NOT NULL,
    password BLOB   NOT NULL,
    group_names TEXT,
    created  BIGINT NOT NULL,
    changed  BIGINT NOT NULL
);

-- Sessions of people, by the digest of what the browser holds.
CREATE TABLE login (
    digest  BLOB   NOT NULL PRIMARY KEY,
    person  TEXT   NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX login_person ON login (person);
CREATE INDEX login_expires ON login (expires);

-- Tokens of before have no digest, and may do everything.
ALTER TABLE token ADD COLUMN digest BLOB;
ALTER TABLE token ADD COLUMN person TEXT;
ALTER TABLE token ADD COLUMN role TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE token ADD COLUMN scopes TEXT;
ALTER TABLE token ADD COLUMN group_names TEXT;
CREATE INDEX token_digest ON token (digest);
CREATE INDEX token_person ON token (person);

-- One chain a node, so that no two nodes wait for each other. `hash` is over all else in the row, and `prev` is the hash before.
CREATE TABLE audit (
    chain TEXT   NOT NULL,
    seq   BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    prev  BLOB   NOT NULL,
    hash  BLOB   NOT NULL,
    entry TEXT   NOT NULL,
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_at ON audit (at, chain, seq);

-- `position` is the cursor of the last event that was delivered or given up. Who delivers sets `due` ahead, so that nobody else does at
-- the same time, and a node that ends in the middle is followed by another.
CREATE TABLE webhook (
    name     TEXT   NOT NULL PRIMARY KEY,
    url      TEXT   NOT NULL,
    secret   BLOB   NOT NULL,
    kinds    TEXT   NOT NULL,
    created  BIGINT NOT NULL,
    position BIGINT NOT NULL,
    version  BIGINT NOT NULL,
    due      BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    problem  TEXT
);

-- Deliveries that were given up, as they would have been sent.
CREATE TABLE webhook_dead (
    webhook  TEXT   NOT NULL,
    id       BLOB   NOT NULL,
    at       BIGINT NOT NULL,
    first    BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    problem  TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    PRIMARY KEY (webhook, id)
);
