-- Records of calls that Kamailio carries.

-- Notes a call that is over. `its_realm` and `its_aor` are of the caller, as the credentials named them; times are seconds since
-- 1970, `answered` 0 where nobody did; `ended` is who hung up. Answers with the record's number.
CREATE FUNCTION kamailio_called(its_realm TEXT, its_aor TEXT, dialled_hex TEXT, call_id_hex TEXT, began BIGINT, answered BIGINT,
                                its_code BIGINT, ended TEXT) RETURNS BIGINT
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO call_record (account_id, call_id, caller, caller_extension, caller_name, dialled, callee_extension, callee_name,
                             started_at, answered_at, ended_at, code, ended_by)
    SELECT a.id, kamailio_text(call_id_hex), r.name, e.number, e.name, kamailio_text(dialled_hex), whom.number, whom.name,
           began * 1000, nullif(answered, 0) * 1000, greatest(now_ms(), began * 1000),
           CASE WHEN answered > 0 THEN 200 ELSE greatest(its_code, 300) END, CASE WHEN answered > 0 THEN ended END
    FROM registration r
    JOIN extension e ON e.id = r.extension_id
    JOIN account a ON a.id = r.account_id
    JOIN extension whom ON whom.account_id = a.id AND whom.number = split_part(kamailio_text(dialled_hex), '-', 1)
    WHERE a.realm = its_realm AND r.name = its_aor
    RETURNING id
$$;
REVOKE EXECUTE ON FUNCTION kamailio_called FROM PUBLIC;

-- Whoever may ask where a call goes may say how it went.
DO $$
DECLARE
    role TEXT;
BEGIN
    FOR role IN SELECT grantee FROM information_schema.role_routine_grants
        WHERE routine_name = 'kamailio_route' AND grantee NOT IN (current_user, 'PUBLIC')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION kamailio_called TO %I', role);
    END LOOP;
END $$;
