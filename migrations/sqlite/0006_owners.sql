-- Links belong to whoever they were made for, operators can be switched off, effects beyond the database wait in an outbox, and
-- remembered answers have a caller.

-- Whose session a link opens is settled when it is made; it opens nothing once the extension is somebody else's.
CREATE TABLE owned_link (
    id            INTEGER PRIMARY KEY,
    code_hash     TEXT    NOT NULL UNIQUE,
    extension_id  INTEGER NOT NULL REFERENCES extension (id) ON DELETE CASCADE,
    membership_id INTEGER NOT NULL REFERENCES membership (id) ON DELETE CASCADE,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    used_at       INTEGER
) STRICT;
INSERT INTO owned_link (id, code_hash, extension_id, membership_id, created_at, expires_at, used_at)
SELECT l.id, l.code_hash, l.extension_id, e.membership_id, l.created_at, l.expires_at, l.used_at
FROM link l JOIN extension e ON e.id = l.extension_id WHERE e.membership_id IS NOT NULL;
DROP TABLE link;
ALTER TABLE owned_link RENAME TO link;
CREATE INDEX link_expires ON link (expires_at);
CREATE INDEX link_extension ON link (extension_id);
CREATE INDEX link_membership ON link (membership_id);

-- Of an operator; what others may do is said by the state of their memberships.
ALTER TABLE login ADD COLUMN enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1));

-- What follows from a change outside of the database: devices to remove, softphones to tell. Written with the change, gone once
-- it is done.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    -- server::outbox::Effects as JSON.
    effects       TEXT    NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    -- The process that carries it out has it until then; afterwards any may take it.
    claimed_until INTEGER NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_claimed ON outbox (claimed_until);

-- Who sent the request; each has room for so many answers.
ALTER TABLE idempotency ADD COLUMN caller TEXT NOT NULL DEFAULT '';
CREATE INDEX idempotency_caller ON idempotency (caller, created_at);

-- A revoked key is taken off its extensions.
CREATE INDEX extension_api_key ON extension (api_key_id);
