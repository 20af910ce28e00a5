-- What asked for a command: `profile:NAME@VERSION` or `campaign:UUID`. It is awaited until its campaign has counted its end.
ALTER TABLE command ADD COLUMN origin TEXT;
ALTER TABLE command ADD COLUMN awaited BIGINT NOT NULL DEFAULT 0;
CREATE INDEX command_awaited ON command (origin, finished, device) WHERE awaited = 1;
