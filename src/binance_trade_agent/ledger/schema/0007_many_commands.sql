-- Where the switches stand, and what waits, is asked at each tick and each second, however many commands there were.
CREATE INDEX commands_by_kind ON commands (kind);
CREATE INDEX commands_pending ON commands (state) WHERE state = 'PENDING';
