-- Who may do what one of several nodes has to do. `fence` goes up each time a lease changes hands, and never comes down.
CREATE TABLE lease (
    name    TEXT   NOT NULL PRIMARY KEY,
    owner   TEXT   NOT NULL,
    fence   BIGINT NOT NULL,
    expires BIGINT NOT NULL
);

-- The messages of sessions with their device, which leads every key where devices are spread over several machines.
CREATE TABLE session_trace (
    device       TEXT   NOT NULL,
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
INSERT INTO session_trace
    SELECT l.device, t.log, t.number, t.at, t.from_device, t.http_status, t.length, t.summary, t.content_type, t.notes, t.body
    FROM trace t JOIN session_log l ON l.log = t.log;
DROP TABLE trace;
ALTER TABLE session_trace RENAME TO trace;
