-- Whoever has a password already is let turn two-step sign-in on for a week from now, where it is demanded, as with a new one.
UPDATE login SET second_factor_until = (unixepoch() + 604800) * 1000 WHERE second_factor_until IS NULL;
