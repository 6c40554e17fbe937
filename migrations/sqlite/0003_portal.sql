-- The portal: one-time invitations to set a password, the second factor at sign-in, and the order of long lists.

-- A one-time code with which somebody sets a password of their own, which also activates their membership. Where an extension
-- stands beside it, Agent Manager is set up with it, on that registration.
CREATE TABLE invitation (
    id              INTEGER PRIMARY KEY,
    code_hash       TEXT    NOT NULL UNIQUE,
    membership_id   INTEGER NOT NULL REFERENCES membership (id) ON DELETE CASCADE,
    extension_id    INTEGER REFERENCES extension (id) ON DELETE CASCADE,
    registration    TEXT,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    used_at         INTEGER
) STRICT;
CREATE INDEX invitation_membership ON invitation (membership_id);
CREATE INDEX invitation_extension ON invitation (extension_id);
CREATE INDEX invitation_expires ON invitation (expires_at);

-- Time-based one-time passwords (RFC 6238). A row without `since` is being set up: its first code was not seen yet.
CREATE TABLE second_factor (
    login_id  INTEGER PRIMARY KEY REFERENCES login (id) ON DELETE CASCADE,
    -- Base 32. It must be read again to check a code, so it cannot be stored hashed.
    secret    TEXT    NOT NULL,
    since     INTEGER,
    -- The last step whose code was taken: none is taken twice (RFC 6238 §5.2).
    last_step INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Codes for who has lost the authenticator; each good once.
CREATE TABLE recovery_code (
    login_id  INTEGER NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    code_hash TEXT    NOT NULL,
    PRIMARY KEY (login_id, code_hash)
) STRICT;

-- Somebody whose password was right and whose code is awaited, by the cookie of the sign-in page.
CREATE TABLE sign_in_step (
    token_hash TEXT    PRIMARY KEY,
    login_id   INTEGER NOT NULL REFERENCES login (id) ON DELETE CASCADE,
    tries      INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_step_login ON sign_in_step (login_id);
CREATE INDEX sign_in_step_expires ON sign_in_step (expires_at);

-- Extensions in the order in which they are listed, so that a page of ten thousand is found without sorting them.
CREATE INDEX extension_listed ON extension (account_id, length(number), number);
