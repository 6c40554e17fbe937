-- Emergency numbers are each account's own, between spaces; emergency_number is what a new account begins with.
ALTER TABLE account ADD COLUMN emergency_numbers TEXT NOT NULL DEFAULT '112 911 999 10111 10177'
    CHECK (length(emergency_numbers) BETWEEN 1 AND 260 AND emergency_numbers NOT GLOB '*[^0-9 ]*'
        AND emergency_numbers NOT GLOB ' *' AND emergency_numbers NOT GLOB '* ' AND emergency_numbers NOT GLOB '*  *');
UPDATE account SET emergency_numbers = (
    SELECT group_concat(number, ' ') FROM (SELECT number FROM emergency_number ORDER BY length(number), number LIMIT 20))
WHERE EXISTS (SELECT 1 FROM emergency_number);
