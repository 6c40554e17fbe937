-- Lists that 0016 made of numbers that no list may have: those of 2 to 6 digits stay.
UPDATE account SET emergency_numbers = coalesce(
    (SELECT group_concat(value, ' ') FROM json_each('["' || replace(emergency_numbers, ' ', '","') || '"]')
     WHERE length(value) BETWEEN 2 AND 6),
    '112 911')
WHERE ' ' || emergency_numbers || ' ' GLOB '* [0-9] *' OR emergency_numbers GLOB '*[0-9][0-9][0-9][0-9][0-9][0-9][0-9]*';
