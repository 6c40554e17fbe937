-- A fence beneath the one layer that decides who may do what: where a request acts for one account, `tms.account` names it
-- until the transaction ends, and what other accounts own cannot be seen or written, whatever a statement forgot to say.
-- Without it, as the SIP side, Kamailio's functions, sign-in and maintenance work, everything is there. SQLite has no such
-- thing.
--
-- Not fenced: logins and memberships, for a login may belong to several accounts and its rules look at all of them, and the
-- audit, each of whose entries follows from the one before, whoever's that is.

CREATE FUNCTION within_fence(account BIGINT) RETURNS BOOLEAN LANGUAGE sql STABLE AS $$
    SELECT CASE coalesce(current_setting('tms.account', TRUE), '')
           WHEN '' THEN TRUE ELSE account = current_setting('tms.account')::BIGINT END
$$;

-- FORCE: the TMS owns its tables, and owners are not fenced otherwise.
ALTER TABLE extension ENABLE ROW LEVEL SECURITY;
ALTER TABLE extension FORCE ROW LEVEL SECURITY;
CREATE POLICY own_account ON extension USING (within_fence(account_id));
ALTER TABLE registration ENABLE ROW LEVEL SECURITY;
ALTER TABLE registration FORCE ROW LEVEL SECURITY;
CREATE POLICY own_account ON registration USING (within_fence(account_id));
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY own_account ON api_key USING (within_fence(account_id));

-- What a change ends may be another account's, where a login belongs to both: its rows are written from the whole.
ALTER FUNCTION sip_user_write(BIGINT[]) RENAME TO sip_user_write_unfenced;
CREATE FUNCTION sip_user_write(ids BIGINT[]) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    fence TEXT := coalesce(current_setting('tms.account', TRUE), '');
BEGIN
    PERFORM set_config('tms.account', '', TRUE);
    PERFORM sip_user_write_unfenced(ids);
    PERFORM set_config('tms.account', fence, TRUE);
END $$;
