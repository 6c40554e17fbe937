-- The account tree and its time zones, logins' e-mail addresses, kinds of managing sessions, scope, expiry and overlap of API
-- keys, and an audit whose entries are linked. The same rules as in migrations/sqlite, in PostgreSQL's words.

-- The account that an account was made under: a reseller's customer, say. It is set when the account is made and stays, so
-- that the tree can have no circle.
ALTER TABLE account ADD COLUMN parent_id BIGINT REFERENCES account (id) CHECK (parent_id <> id);
CREATE INDEX account_parent ON account (parent_id);
CREATE TRIGGER account_parent_stays BEFORE UPDATE OF parent_id ON account
FOR EACH ROW WHEN (OLD.parent_id IS DISTINCT FROM NEW.parent_id)
EXECUTE FUNCTION refuse('an account stays where it is in the tree');

-- IANA name; which of them exist is the program's knowledge.
ALTER TABLE account ADD COLUMN time_zone TEXT NOT NULL DEFAULT 'UTC'
    CHECK (length(time_zone) BETWEEN 1 AND 50 AND time_zone ~ '^[A-Za-z0-9/_+-]*$');

-- The realm may be corrected until a digest depends on it.
DROP TRIGGER account_names_stay ON account;
CREATE TRIGGER account_tenant_stays BEFORE UPDATE OF tenant ON account
FOR EACH ROW WHEN (OLD.tenant <> NEW.tenant)
EXECUTE FUNCTION refuse('the tenant never changes');
CREATE FUNCTION keep_used_realm() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM registration r WHERE r.account_id = OLD.id AND r.ha1_md5 IS NOT NULL)
        OR EXISTS (SELECT 1 FROM sip_credential c JOIN registration r ON r.id = c.registration_id
                   WHERE r.account_id = OLD.id) THEN
        RAISE EXCEPTION 'realm_in_use: digests depend on the realm' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_realm_stays BEFORE UPDATE OF realm ON account
FOR EACH ROW WHEN (OLD.realm <> NEW.realm) EXECUTE FUNCTION keep_used_realm();

ALTER TABLE login ADD COLUMN email TEXT
    CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email) AND email LIKE '_%@_%' AND email !~ '\s');
UPDATE login SET email = username WHERE username LIKE '_%@_%' AND username !~ '\s';

-- A program's bearer token, or a browser's cookie; each is refused where the other belongs.
ALTER TABLE manage_session ADD COLUMN kind TEXT NOT NULL DEFAULT 'token' CHECK (kind IN ('token', 'browser'));
-- Where it was opened, for its owner, who sees his sessions and ends them.
ALTER TABLE manage_session ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE manage_session ADD COLUMN device TEXT NOT NULL DEFAULT '' CHECK (length(device) <= 200);

-- Its last request; long after that it is over.
ALTER TABLE manage_session ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
UPDATE manage_session SET used_at = created_at;

-- What a key opens: Agent Manager's sign-in, the XML API, or both.
ALTER TABLE api_key ADD COLUMN scope TEXT NOT NULL DEFAULT 'all' CHECK (scope IN ('all', 'agent', 'xml'));
ALTER TABLE api_key ADD COLUMN expires_at BIGINT CHECK (expires_at > created_at);
-- The secret that was rotated out, which works until then.
ALTER TABLE api_key ADD COLUMN former_hash TEXT CHECK (former_hash <> hash);
ALTER TABLE api_key ADD COLUMN former_until BIGINT CHECK ((former_hash IS NULL) = (former_until IS NULL));
CREATE UNIQUE INDEX api_key_former ON api_key (former_hash);
CREATE TRIGGER api_key_stays_revoked BEFORE UPDATE OF revoked_at ON api_key
FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
EXECUTE FUNCTION refuse('a revoked key stays revoked');
CREATE TRIGGER api_key_revoked_is_not_rotated BEFORE UPDATE OF hash ON api_key
FOR EACH ROW WHEN (OLD.revoked_at IS NOT NULL)
EXECUTE FUNCTION refuse('a revoked key is not rotated');

-- Each entry carries the hash of the one before; the head keeps that of the last. Entries of the first version are linked by
-- the program, once.
ALTER TABLE audit ADD COLUMN previous TEXT CHECK (length(previous) = 64);
CREATE TABLE audit_head (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    -- Of the last entry that is linked; NULL before the first.
    entry BIGINT REFERENCES audit (id),
    hash  TEXT   NOT NULL CHECK (length(hash) = 64)
);
INSERT INTO audit_head (id, entry, hash) VALUES (1, NULL, '0000000000000000000000000000000000000000000000000000000000000000');
CREATE FUNCTION audit_follows_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.previous IS DISTINCT FROM (SELECT hash FROM audit_head) THEN
        RAISE EXCEPTION 'an audit entry carries the hash of the one before'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_is_linked BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_follows_head();
DROP TRIGGER audit_stays ON audit;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('the audit is append-only');
CREATE TRIGGER audit_is_not_altered BEFORE UPDATE ON audit
FOR EACH ROW WHEN (OLD.previous IS NOT NULL OR NEW.id <> OLD.id OR NEW.at <> OLD.at
    OR NEW.account_id IS DISTINCT FROM OLD.account_id OR NEW.actor <> OLD.actor OR NEW.address <> OLD.address
    OR NEW.action <> OLD.action OR NEW.object <> OLD.object)
EXECUTE FUNCTION refuse('the audit is append-only');
-- An entry of the first version takes its place once.
CREATE TRIGGER audit_links_in_turn BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_follows_head();
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
FOR EACH ROW EXECUTE FUNCTION refuse('the audit is append-only');
