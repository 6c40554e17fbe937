-- The rest of what the view reckoned for each question is a column: the session as text, and until when a takeover holds, which
-- Kamailio compares with its own clock.
ALTER TABLE sip_user
    ADD session TEXT GENERATED ALWAYS AS (session_id::TEXT) STORED,
    ADD held_until_s TEXT GENERATED ALWAYS AS ((held_until / 1000)::TEXT) STORED;

CREATE OR REPLACE VIEW kamailio_subscriber AS
SELECT username, domain, ha1, aor, session, instance_id, held_by, held_until_s
FROM sip_user
WHERE good_until > statement_timestamp();

ALTER TABLE sip_user DROP held_good_until;
