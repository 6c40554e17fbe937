-- Who ended a call that was answered; NULL where nobody answered, or where it was not noted.
ALTER TABLE call_record ADD COLUMN ended_by TEXT CHECK (ended_by IN ('caller', 'callee', 'tms', 'nobody'));
