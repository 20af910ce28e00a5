-- Assignments that were taken back, each with what `profile_clock` showed when it was made: what a campaign has given to its devices before
-- that counts no more.
CREATE TABLE profile_withdrawn (
    profile TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    clock   BIGINT NOT NULL,
    PRIMARY KEY (profile, target)
) WITHOUT ROWID;
