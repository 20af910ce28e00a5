-- When an operator took the bootstrap of a device back: it has no credential then, and nothing is taken from it.
ALTER TABLE device ADD COLUMN revoked BIGINT;
