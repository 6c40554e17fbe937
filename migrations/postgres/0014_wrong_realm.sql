-- A device that asks for another SIP domain than its account's is told of where its registration is.
CREATE OR REPLACE FUNCTION kamailio_refuse(realm_hex TEXT, aor_hex TEXT, user_hex TEXT, wherefore TEXT, detail_hex TEXT,
                                           address_hex TEXT, device_hex TEXT) RETURNS TEXT
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    its_user TEXT := kamailio_text(user_hex);
    its_realm TEXT := kamailio_text(realm_hex);
    told TEXT := kamailio_text(detail_hex);
    found_one RECORD;
BEGIN
    -- The address of record that it wanted; failing that, the one that its digest user is of. Who is nobody's in this realm may
    -- be somebody in another, for names are unique.
    SELECT r.id, r.name, a.realm, r.enabled AND e.enabled AND a.enabled AS enabled, r.ha1_md5 IS NOT NULL AS has_password
    INTO found_one
    FROM registration r JOIN extension e ON e.id = r.extension_id JOIN account a ON a.id = r.account_id
    WHERE (a.realm = its_realm OR wherefore = 'unknown_user')
      AND r.name IN (kamailio_text(aor_hex), split_part(its_user, '~', 1))
    ORDER BY a.realm = its_realm DESC, r.name = kamailio_text(aor_hex) DESC LIMIT 1;
    IF FOUND THEN
        IF wherefore = 'unknown_user' THEN
            wherefore := CASE WHEN found_one.realm <> its_realm THEN 'wrong_realm'
                              WHEN NOT found_one.enabled THEN 'disabled'
                              WHEN position('~' IN its_user) > 0 THEN 'session_ended'
                              WHEN its_user = found_one.name AND NOT found_one.has_password THEN 'not_activated'
                              ELSE wherefore END;
        END IF;
        IF found_one.realm <> its_realm THEN
            told := its_realm;
        ELSIF told = '' THEN
            told := its_user;
        END IF;
        INSERT INTO sip_refusal (registration_id, why, detail, address, device, first_at, last_at)
        VALUES (found_one.id, wherefore, told, kamailio_text(address_hex), kamailio_text(device_hex), now_ms(), now_ms())
        ON CONFLICT (registration_id, why, detail, address) DO UPDATE
        SET times = sip_refusal.times + 1, last_at = excluded.last_at, device = excluded.device;
        DELETE FROM sip_refusal WHERE registration_id = found_one.id AND id NOT IN (
            SELECT id FROM sip_refusal WHERE registration_id = found_one.id ORDER BY last_at DESC, id DESC LIMIT 20);
    END IF;
    RETURN CASE WHEN EXISTS (SELECT 1 FROM account WHERE realm = its_realm) THEN wherefore ELSE 'no_account' END;
END $$;
