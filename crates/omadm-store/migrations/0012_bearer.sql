-- By which transport the last session came. It stands in `device` for the next session to see whether it is another, and in `fleet` for
-- filters; what is not known is null in the one and empty in the other.
ALTER TABLE device ADD COLUMN bearer TEXT;
ALTER TABLE fleet ADD COLUMN bearer TEXT NOT NULL DEFAULT '';
CREATE INDEX fleet_bearer ON fleet (bearer, device);
