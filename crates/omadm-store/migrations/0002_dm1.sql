-- What DM 1.x keeps of a device between sessions: keys, nonces, the server's own secret towards it.
ALTER TABLE device ADD COLUMN dm1 BLOB;

-- What was learnt about all devices of a model.
CREATE TABLE model (
    name TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;
