-- What filters ask about devices: one narrow row each, written when something in it changes. `*_key` are versions such that they
-- compare by octets; what is not known is empty. `contact` is the day of the last contact, counted from 1970, or -1: the exact time
-- stands in `device`. `labels` is what `label` holds, as a JSON object.
CREATE TABLE fleet (
    device       TEXT   NOT NULL PRIMARY KEY,
    generation   BIGINT NOT NULL,
    enrolled     BIGINT NOT NULL,
    contact      BIGINT NOT NULL,
    protocol     TEXT   NOT NULL,
    manufacturer TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    fw           TEXT   NOT NULL,
    fw_key       TEXT   NOT NULL,
    sw           TEXT   NOT NULL,
    sw_key       TEXT   NOT NULL,
    hw           TEXT   NOT NULL,
    hw_key       TEXT   NOT NULL,
    note         TEXT   NOT NULL,
    labels       TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX fleet_contact ON fleet (contact, device);
CREATE INDEX fleet_enrolled ON fleet (enrolled, device);
CREATE INDEX fleet_protocol ON fleet (protocol, device);
CREATE INDEX fleet_manufacturer ON fleet (manufacturer, device);
CREATE INDEX fleet_model ON fleet (model, device);
CREATE INDEX fleet_fw ON fleet (fw_key, device);
CREATE INDEX fleet_sw ON fleet (sw_key, device);
CREATE INDEX fleet_hw ON fleet (hw_key, device);

-- Facts of devices that are enrolled already are read from their rows after the server has begun: until then `contact` is -2.
INSERT INTO fleet (device, generation, enrolled, contact, protocol, manufacturer, model, fw, fw_key, sw, sw_key, hw, hw_key,
    note, labels)
SELECT device, generation, enrolled, -2, COALESCE(protocol, ''), '', '', '', '', '', '', '', '', '', '{}' FROM device;

CREATE TABLE label (
    device     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    PRIMARY KEY (device, name)
) WITHOUT ROWID;
CREATE INDEX label_value ON label (name, value, device);

-- `uses` counts the rows of `group_use`, so that removing a group and beginning to use it meet in one row.
CREATE TABLE device_group (
    name        TEXT   NOT NULL PRIMARY KEY,
    filter      TEXT   NOT NULL,
    description TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    created     BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    uses        BIGINT NOT NULL
);

-- What uses groups: `group:NAME`, `profile:NAME`, `campaign:UUID`.
CREATE TABLE group_use (
    user_of    TEXT NOT NULL,
    group_name TEXT NOT NULL,
    PRIMARY KEY (user_of, group_name)
) WITHOUT ROWID;
CREATE INDEX group_use_group ON group_use (group_name, user_of);

-- Imports. `position` is the row that the present state has come to.
CREATE TABLE import (
    id         BLOB   NOT NULL PRIMARY KEY,
    created    BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    updated    BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    dry_run    BIGINT NOT NULL,
    row_count  BIGINT NOT NULL,
    bad        BIGINT NOT NULL,
    position   BIGINT NOT NULL,
    failed     BIGINT NOT NULL,
    detail     TEXT
);
CREATE INDEX import_state ON import (state, id);

-- Rows of imports. What is secret goes as soon as it is not needed any more.
CREATE TABLE import_row (
    import   BLOB   NOT NULL,
    number   BIGINT NOT NULL,
    device   TEXT   NOT NULL,
    name     TEXT,
    note     TEXT,
    labels   TEXT   NOT NULL,
    username TEXT,
    verifier BLOB,
    dm1      BLOB,
    replaces BIGINT NOT NULL,
    outcome  TEXT   NOT NULL,
    reason   TEXT,
    PRIMARY KEY (import, number)
) WITHOUT ROWID;
CREATE INDEX import_row_device ON import_row (import, device, number);
CREATE INDEX import_row_user ON import_row (import, username, number) WHERE username IS NOT NULL;
CREATE INDEX import_row_outcome ON import_row (import, outcome, number);
