-- The rest of what the view reckoned for each question is a column: the session as text, and by whom and until when a registration
-- was taken over, which Kamailio compares with its own clock. held_by stays for a configuration written before.
ALTER TABLE sip_user
    ADD session TEXT GENERATED ALWAYS AS (session_id::TEXT) STORED,
    ADD held_until_s TEXT GENERATED ALWAYS AS ((held_until / 1000)::TEXT) STORED;

CREATE OR REPLACE VIEW kamailio_subscriber AS
SELECT username, domain, ha1, aor, session, instance_id,
       CASE WHEN held_good_until > statement_timestamp() THEN held_by END AS held_by,
       held_by AS taken_by, held_until_s
FROM sip_user
WHERE good_until > statement_timestamp();

-- How long a device took to answer rides in `received` and changes with every refresh: that is no news.
DROP TRIGGER kamailio_location_moved ON kamailio_location;
CREATE TRIGGER kamailio_location_moved AFTER UPDATE ON kamailio_location
FOR EACH ROW WHEN ((OLD.contact, split_part(OLD.received, ';took=', 1), OLD.user_agent, OLD.session_id)
    IS DISTINCT FROM (NEW.contact, split_part(NEW.received, ';took=', 1), NEW.user_agent, NEW.session_id))
EXECUTE FUNCTION kamailio_location_told();
