-- Which key this database's secrets are encrypted with: its fingerprint, by which another is told apart. None until there is one.
CREATE TABLE secrets_key (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fingerprint TEXT NOT NULL
) STRICT;
