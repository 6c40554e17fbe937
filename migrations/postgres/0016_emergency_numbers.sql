-- Emergency numbers are each account's own, between spaces; emergency_number is what a new account begins with.
ALTER TABLE account ADD COLUMN emergency_numbers TEXT NOT NULL DEFAULT '112 911 999 10111 10177'
    CHECK (length(emergency_numbers) BETWEEN 1 AND 260 AND emergency_numbers ~ '^[0-9]+( [0-9]+)*$');
UPDATE account SET emergency_numbers = (
    SELECT string_agg(number, ' ' ORDER BY length(number), number)
    FROM (SELECT number FROM emergency_number ORDER BY length(number), number LIMIT 20) AS listed)
WHERE EXISTS (SELECT 1 FROM emergency_number);

CREATE FUNCTION is_emergency(account BIGINT, dialled TEXT) RETURNS BOOLEAN LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM account a WHERE a.id = $1 AND $2 = ANY (string_to_array(a.emergency_numbers, ' ')))
$$;

-- The decision point for a call: why it may not be made, or NULL. Emergency calls are never refused.
CREATE OR REPLACE FUNCTION call_refused(caller registration, dialled TEXT) RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF is_emergency(caller.account_id, dialled) THEN
        RETURN NULL;
    END IF;
    IF caller.edition = 'express' AND caller.slot <> 0 THEN
        RETURN 'an Express account has one registration per extension: call from ' || split_part(caller.name, '-', 1);
    END IF;
    RETURN NULL;
END $$;

-- Where a call goes: one row for each address of record that rings, or one row that says why none does. `identity` is
-- the P-Asserted-Identity (RFC 3325) of the caller.
CREATE OR REPLACE FUNCTION kamailio_route(its_realm TEXT, its_aor TEXT, dialled_hex TEXT)
RETURNS TABLE (code INT, reason TEXT, caller_number TEXT, identity TEXT, aor TEXT)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    dialled TEXT := kamailio_text(dialled_hex);
    caller registration;
    who extension;
    target registration;
    whom extension;
BEGIN
    SELECT * INTO caller FROM registration r WHERE r.name = its_aor;
    SELECT * INTO who FROM extension e WHERE e.id = caller.extension_id;
    caller_number := who.number;
    identity := '"' || regexp_replace(replace(replace(who.name, '\', '\\'), '"', '\"'), '[[:cntrl:]]', '', 'g') || '" <sip:'
        || who.number || '@' || its_realm || '>';
    code := 403;
    reason := call_refused(caller, dialled);
    IF reason IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT * INTO whom FROM extension e WHERE e.account_id = caller.account_id AND e.number = dialled;
    IF NOT FOUND THEN
        SELECT * INTO target FROM registration r WHERE r.account_id = caller.account_id AND r.name = dialled;
        SELECT * INTO whom FROM extension e WHERE e.id = target.extension_id;
        IF target.slot <> 0 THEN
            reason := dialled || ' is an additional registration and cannot be dialled: dial ' || whom.number;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    IF whom.id IS NULL OR NOT whom.enabled THEN
        code := 404;
        reason := CASE WHEN is_emergency(caller.account_id, dialled)
            THEN 'no line leads out of this server: make the emergency call from another phone'
            ELSE 'there is no such extension: check the number' END;
        RETURN NEXT;
        RETURN;
    END IF;
    code := 0;
    reason := 'no device of extension ' || whom.number || ' is online';
    FOR aor IN
        SELECT r.name FROM registration r
        WHERE r.extension_id = whom.id AND r.enabled AND r.ring_inbound AND r.id <> caller.id ORDER BY r.slot
    LOOP
        RETURN NEXT;
    END LOOP;
    IF NOT FOUND THEN
        code := 480;
        RETURN NEXT;
    END IF;
END $$;
