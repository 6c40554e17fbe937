-- The SIP side: why devices were not let in, and who holds a registration. Kamailio needs PostgreSQL.

-- The last refusals of each registration, for "why won't it register?". A repetition counts in its row.
CREATE TABLE sip_refusal (
    id              INTEGER PRIMARY KEY,
    registration_id INTEGER NOT NULL REFERENCES registration (id) ON DELETE CASCADE,
    -- One of server::refusals::Why.
    why             TEXT    NOT NULL,
    -- What the sentence needs besides: the digest user, the holder.
    detail          TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    device          TEXT    NOT NULL,
    times           INTEGER NOT NULL DEFAULT 1,
    first_at        INTEGER NOT NULL,
    last_at         INTEGER NOT NULL,
    UNIQUE (registration_id, why, detail, address)
) STRICT;
CREATE INDEX sip_refusal_last ON sip_refusal (registration_id, last_at);

-- The built-in registrar's contacts, read again when it starts.
CREATE TABLE sip_contact (
    registration_id INTEGER PRIMARY KEY REFERENCES registration (id) ON DELETE CASCADE,
    uri             TEXT    NOT NULL,
    transport       TEXT    NOT NULL,
    remote          TEXT    NOT NULL,
    instance_id     TEXT,
    call_id         TEXT    NOT NULL,
    cseq            INTEGER NOT NULL,
    device          TEXT    NOT NULL,
    session_id      INTEGER REFERENCES session (id) ON DELETE CASCADE,
    since           INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX sip_contact_session ON sip_contact (session_id);

-- A takeover holds until then: the device that was pushed off is refused although it registers again.
CREATE TABLE sip_takeover (
    registration_id INTEGER PRIMARY KEY REFERENCES registration (id) ON DELETE CASCADE,
    session_id      INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    instance_id     TEXT    NOT NULL,
    until           INTEGER NOT NULL
) STRICT;
CREATE INDEX sip_takeover_session ON sip_takeover (session_id);
