-- Calls: their records, and the numbers that are never refused.

-- Emergency numbers: the one list, read by our own SIP side. 112 and 911 are emergency
-- numbers everywhere (3GPP TS 22.101 §10.1.1); the others are the United Kingdom's and South Africa's. Wherever else a TMS
-- serves, its operator adds rows.
CREATE TABLE emergency_number (
    number TEXT PRIMARY KEY CHECK (length(number) BETWEEN 1 AND 12 AND number NOT GLOB '*[^0-9]*')
) STRICT;
INSERT INTO emergency_number (number) VALUES ('112'), ('911'), ('999'), ('10111'), ('10177');

-- Calls that are over, as our own SIP side saw them; kept for 90 days.
CREATE TABLE call_record (
    id               INTEGER PRIMARY KEY,
    account_id       INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    call_id          TEXT    NOT NULL,
    -- The registration that called; its extension and the one called, as they were then.
    caller           TEXT    NOT NULL,
    caller_extension TEXT    NOT NULL,
    caller_name      TEXT    NOT NULL,
    dialled          TEXT    NOT NULL,
    callee_extension TEXT    NOT NULL,
    callee_name      TEXT    NOT NULL,
    started_at       INTEGER NOT NULL,
    -- NULL where nobody answered.
    answered_at      INTEGER,
    ended_at         INTEGER NOT NULL,
    -- The final status of the INVITE (RFC 3261 §21).
    code             INTEGER NOT NULL,
    CHECK ((code < 300) = (answered_at IS NOT NULL))
) STRICT;
CREATE INDEX call_record_account ON call_record (account_id, started_at);
CREATE INDEX call_record_started ON call_record (started_at);
