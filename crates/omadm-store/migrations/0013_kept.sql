-- How much was kept of what came in ranges of time: after `since`, until `until`. Counted by the node that looks after retention, never
-- by a session.
CREATE TABLE kept (
    what    TEXT   NOT NULL,
    until   BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    octets  BIGINT NOT NULL,
    PRIMARY KEY (what, until)
) WITHOUT ROWID;

-- Octets of the messages of a session, as far as they are kept.
ALTER TABLE session_log ADD COLUMN octets BIGINT NOT NULL DEFAULT 0;
