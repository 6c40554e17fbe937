-- The domain: accounts, logins and their memberships, extensions, registrations, API keys, sessions and what hangs on them.
-- Times are milliseconds since 1970 (UTC). What must hold is declared here, so that no path of the code can break it; the
-- constraints are plain keys and checks, which PostgreSQL has too.

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- One unique word; the last part of every SIP user name.
    tenant     TEXT    NOT NULL UNIQUE CHECK (length(tenant) BETWEEN 2 AND 30 AND tenant NOT GLOB '*[^a-z0-9]*'),
    -- SIP domain and digest realm; never changed, for every HA1 depends on it.
    realm      TEXT    NOT NULL UNIQUE CHECK (length(realm) BETWEEN 1 AND 100 AND realm NOT GLOB '*[^a-z0-9.-]*'),
    edition    TEXT    NOT NULL CHECK (edition IN ('express', 'enterprise', 'integrator')),
    enabled    INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    UNIQUE (id, edition),
    UNIQUE (id, tenant)
) STRICT;

CREATE TRIGGER account_names_stay BEFORE UPDATE OF tenant, realm ON account
WHEN OLD.tenant <> NEW.tenant OR OLD.realm <> NEW.realm
BEGIN SELECT RAISE(ABORT, 'tenant and realm never change'); END;

CREATE TABLE login (
    id            INTEGER PRIMARY KEY,
    username      TEXT    NOT NULL UNIQUE CHECK (length(username) BETWEEN 3 AND 100 AND username = lower(username)),
    name          TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- argon2id in PHC string format.
    password_hash TEXT    NOT NULL,
    -- May create accounts and manage every one of them.
    operator      INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE membership (
    id         INTEGER PRIMARY KEY,
    login_id   INTEGER NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role       TEXT    NOT NULL CHECK (role IN ('admin', 'manager', 'extension')),
    -- Pending until its owner ticks "Account enabled" at the first sign-in.
    state      TEXT    NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'enabled', 'disabled')),
    -- When that was; one that was never activated is pending again after it was disabled.
    activated_at INTEGER,
    CHECK (state <> 'enabled' OR activated_at IS NOT NULL),
    UNIQUE (login_id, account_id),
    UNIQUE (id, account_id)
) STRICT;
CREATE INDEX membership_account ON membership (account_id);

CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- The readable beginning of the key, to tell one from another.
    prefix       TEXT    NOT NULL UNIQUE,
    -- SHA-256 of the whole key, hexadecimal: the key is random, so nothing slower is needed.
    hash         TEXT    NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER,
    UNIQUE (id, account_id)
) STRICT;
CREATE INDEX api_key_account ON api_key (account_id);

CREATE TABLE api_key_use (
    id         INTEGER PRIMARY KEY,
    api_key_id INTEGER NOT NULL REFERENCES api_key (id) ON DELETE CASCADE,
    at         INTEGER NOT NULL,
    address    TEXT    NOT NULL,
    -- What was asked: "sign-in", "xml GetExtensions".
    request    TEXT    NOT NULL
) STRICT;
CREATE INDEX api_key_use_key ON api_key_use (api_key_id, at);
CREATE INDEX api_key_use_at ON api_key_use (at);

CREATE TABLE extension (
    id            INTEGER PRIMARY KEY,
    account_id    INTEGER NOT NULL,
    tenant        TEXT    NOT NULL,
    edition       TEXT    NOT NULL,
    number        TEXT    NOT NULL CHECK (length(number) BETWEEN 1 AND 12 AND number NOT GLOB '*[^0-9]*'),
    name          TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    enabled       INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- The login that owns it, and the API key that is enabled on it: both of the extension's own account.
    membership_id INTEGER,
    api_key_id    INTEGER,
    created_at    INTEGER NOT NULL,
    UNIQUE (account_id, number),
    UNIQUE (id, account_id, edition),
    FOREIGN KEY (account_id, edition) REFERENCES account (id, edition) ON UPDATE CASCADE ON DELETE CASCADE,
    FOREIGN KEY (account_id, tenant) REFERENCES account (id, tenant) ON DELETE CASCADE,
    FOREIGN KEY (membership_id, account_id) REFERENCES membership (id, account_id),
    FOREIGN KEY (api_key_id, account_id) REFERENCES api_key (id, account_id)
) STRICT;
CREATE INDEX extension_membership ON extension (membership_id, api_key_id);

CREATE TABLE registration (
    id           INTEGER PRIMARY KEY,
    extension_id INTEGER NOT NULL,
    account_id   INTEGER NOT NULL,
    -- The account's, carried along so that the check below can see it: lowering the edition to Express fails while an
    -- additional registration exists, and so does adding one on Express.
    edition      TEXT    NOT NULL,
    -- 0 is the primary (P); 1 and 2 are the additional registrations (S). One of each, so one P and at most two S.
    slot         INTEGER NOT NULL CHECK (slot IN (0, 1, 2)),
    -- SIP user name: <extension>-<tenant> or <extension>-<tenant>-<name>. Never has a "~", which marks session credentials.
    name         TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 3 AND 64 AND name NOT GLOB '*[^a-z0-9-]*'),
    label        TEXT    NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
    -- An additional registration rings with the primary; the primary always rings.
    ring_inbound INTEGER NOT NULL CHECK (ring_inbound IN (0, 1)),
    enabled      INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- H(name:realm:password) of the lasting password, for devices set up by hand; NULL until one is made.
    ha1_md5        TEXT,
    ha1_sha256     TEXT,
    ha1_sha512_256 TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (extension_id, slot),
    CONSTRAINT additional_not_on_express CHECK (slot = 0 OR edition <> 'express'),
    CONSTRAINT primary_always_rings CHECK (slot <> 0 OR ring_inbound = 1),
    CHECK ((ha1_md5 IS NULL) = (ha1_sha256 IS NULL) AND (ha1_md5 IS NULL) = (ha1_sha512_256 IS NULL)),
    FOREIGN KEY (extension_id, account_id, edition) REFERENCES extension (id, account_id, edition)
        ON UPDATE CASCADE ON DELETE CASCADE
) STRICT;
CREATE INDEX registration_account ON registration (account_id);

-- At least one P: it is made with its extension and goes only with it.
CREATE TRIGGER extension_has_a_primary AFTER INSERT ON extension
BEGIN
    INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
    VALUES (NEW.id, NEW.account_id, NEW.edition, 0, NEW.number || '-' || NEW.tenant, 'Primary', 1, NEW.created_at);
END;
CREATE TRIGGER primary_stays BEFORE DELETE ON registration
WHEN OLD.slot = 0 AND EXISTS (SELECT 1 FROM extension WHERE id = OLD.extension_id)
BEGIN SELECT RAISE(ABORT, 'the primary registration goes only with its extension'); END;
CREATE TRIGGER registration_names_stay BEFORE UPDATE OF name, slot, extension_id ON registration
WHEN OLD.name <> NEW.name OR OLD.slot <> NEW.slot OR OLD.extension_id <> NEW.extension_id
BEGIN SELECT RAISE(ABORT, 'a registration keeps its name and place'); END;

-- A softphone's session: a login on an account, by one API key, on one installation.
CREATE TABLE session (
    id            INTEGER PRIMARY KEY,
    token_hash    TEXT    NOT NULL UNIQUE,
    membership_id INTEGER NOT NULL REFERENCES membership (id) ON DELETE CASCADE,
    api_key_id    INTEGER NOT NULL REFERENCES api_key (id) ON DELETE CASCADE,
    instance_id   TEXT    NOT NULL,
    address       TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX session_membership ON session (membership_id);
CREATE INDEX session_api_key ON session (api_key_id);
CREATE INDEX session_expires ON session (expires_at);

-- The SIP credential of one session for one registration; goes with the session.
CREATE TABLE sip_credential (
    id              INTEGER PRIMARY KEY,
    session_id      INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    registration_id INTEGER NOT NULL REFERENCES registration (id) ON DELETE CASCADE,
    username        TEXT    NOT NULL UNIQUE,
    ha1_md5         TEXT    NOT NULL,
    ha1_sha256      TEXT    NOT NULL,
    ha1_sha512_256  TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    UNIQUE (session_id, registration_id)
) STRICT;
CREATE INDEX sip_credential_registration ON sip_credential (registration_id);

-- A session of someone who manages: an operator, an account's administrator, or a new user about to enable an account.
CREATE TABLE manage_session (
    id         INTEGER PRIMARY KEY,
    token_hash TEXT    NOT NULL UNIQUE,
    login_id   INTEGER NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX manage_session_login ON manage_session (login_id);
CREATE INDEX manage_session_expires ON manage_session (expires_at);

-- One-time codes of agent-manager:// links.
CREATE TABLE link (
    id            INTEGER PRIMARY KEY,
    code_hash     TEXT    NOT NULL UNIQUE,
    extension_id  INTEGER NOT NULL REFERENCES extension (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    used_at       INTEGER
) STRICT;
CREATE INDEX link_expires ON link (expires_at);

-- Who did what; entries are only ever added.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    account_id INTEGER REFERENCES account (id),
    actor      TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_account ON audit (account_id, id);
CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- Answers to POSTs that carried an Idempotency-Key, without their secrets. `answer` is NULL while the first is under way.
CREATE TABLE idempotency (
    key_hash    TEXT    PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    status      INTEGER,
    answer      TEXT,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX idempotency_created ON idempotency (created_at);
