-- Lists that 0016 made of numbers that no list may have: those of 2 to 6 digits stay.
UPDATE account SET emergency_numbers = coalesce(
    (SELECT string_agg(number, ' ' ORDER BY length(number), number)
     FROM unnest(string_to_array(emergency_numbers, ' ')) AS number WHERE length(number) BETWEEN 2 AND 6),
    '112 911')
WHERE emergency_numbers ~ '\m[0-9]\M|[0-9]{7}';

-- An extension's number is that extension, with whatever bars a call to it; 112 and 911 are emergencies whoever has them.
CREATE OR REPLACE FUNCTION is_emergency(account BIGINT, dialled TEXT) RETURNS BOOLEAN LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM account a WHERE a.id = $1 AND $2 = ANY (string_to_array(a.emergency_numbers, ' ')))
        AND ($2 IN ('112', '911')
             OR NOT EXISTS (SELECT 1 FROM extension e WHERE e.account_id = $1 AND e.number = $2 AND e.enabled))
$$;
