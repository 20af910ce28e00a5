-- What people look for, and few devices are: filters find them without going through all.
CREATE INDEX device_revoked ON device (device) WHERE revoked IS NOT NULL;
CREATE INDEX push_unanswered ON push (device) WHERE attempts > 0;
