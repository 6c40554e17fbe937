-- What Kamailio asks for at each request that carries credentials, in as few columns as there can be: it makes a value of its own
-- of each, and PostgreSQL plans for each, every time. kamailio_subscriber stays for a configuration written before.
--   claims: address of record|domain|session|until when it was taken over, in seconds since 1970|installation|by whom
ALTER TABLE sip_user
    ADD claims TEXT NOT NULL GENERATED ALWAYS AS (
        aor || '|' || domain || '|' || coalesce(session_id::TEXT, '') || '|' || coalesce((held_until / 1000)::TEXT, '')
            || '|' || coalesce(replace(instance_id, '|', ''), '')
            || '|' || coalesce(replace(held_by, '|', ''), '')) STORED;

CREATE VIEW kamailio_credentials AS
SELECT username, domain, ha1, claims FROM sip_user WHERE good_until > statement_timestamp();

-- Whoever reads the view of before reads this one, too.
DO $$
DECLARE
    role TEXT;
BEGIN
    FOR role IN SELECT grantee FROM information_schema.role_table_grants
        WHERE table_name = 'kamailio_subscriber' AND privilege_type = 'SELECT' AND grantee NOT IN (current_user, 'PUBLIC')
    LOOP
        EXECUTE format('GRANT SELECT ON kamailio_credentials TO %I', role);
    END LOOP;
END $$;

-- How long a device took to answer rides in `received` and changes with every refresh: that is no news.
DROP TRIGGER kamailio_location_moved ON kamailio_location;
CREATE TRIGGER kamailio_location_moved AFTER UPDATE ON kamailio_location
FOR EACH ROW WHEN ((OLD.contact, split_part(OLD.received, ';took=', 1), OLD.user_agent, OLD.session_id)
    IS DISTINCT FROM (NEW.contact, split_part(NEW.received, ';took=', 1), NEW.user_agent, NEW.session_id))
EXECUTE FUNCTION kamailio_location_told();
