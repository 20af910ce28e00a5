-- How long the oldest open command has waited is read at an interval.
CREATE INDEX command_created ON command (created) WHERE finished IS NULL;
