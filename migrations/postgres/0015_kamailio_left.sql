-- A device that leaves, or only asks, holds nothing: its session is not written on whoever does.
CREATE OR REPLACE FUNCTION kamailio_registered(its_realm TEXT, its_aor TEXT, its_session BIGINT, its_instance_hex TEXT, seconds BIGINT)
RETURNS INT LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    its_instance TEXT := lower(kamailio_text(its_instance_hex));
BEGIN
    IF seconds = 0 THEN
        DELETE FROM sip_takeover t USING registration r
        WHERE r.id = t.registration_id AND r.name = its_aor AND lower(t.instance_id) = its_instance;
    ELSIF seconds > 0 THEN
        UPDATE kamailio_location SET session_id = its_session
        WHERE username = its_aor AND domain = its_realm AND session_id IS DISTINCT FROM its_session;
        -- Five minutes beyond its contact: long enough for a restart or another network.
        UPDATE sip_takeover t SET until = now_ms() + (seconds + 300) * 1000 FROM registration r
        WHERE r.id = t.registration_id AND r.name = its_aor AND lower(t.instance_id) = its_instance;
    END IF;
    RETURN 1;
END $$;
