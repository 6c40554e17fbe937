-- Whether somebody else than its owner has chosen the password; the portal asks the owner for another one then.
ALTER TABLE login ADD COLUMN password_given INTEGER NOT NULL DEFAULT 0 CHECK (password_given IN (0, 1));
-- Until when two-step sign-in may be turned on where it is demanded: a password that was stolen later turns nothing on.
ALTER TABLE login ADD COLUMN second_factor_until INTEGER;
