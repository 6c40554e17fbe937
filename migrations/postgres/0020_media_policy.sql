-- What an account says of its agents' calls: how their audio is encrypted, whether they are recorded, and with a tone.
ALTER TABLE account ADD COLUMN srtp TEXT NOT NULL DEFAULT 'optional' CHECK (srtp IN ('off', 'optional', 'sdes', 'dtls'));
ALTER TABLE account ADD COLUMN recording TEXT NOT NULL DEFAULT 'allowed'
    CHECK (recording IN ('allowed', 'forbidden', 'required'));
ALTER TABLE account ADD COLUMN recording_tone BOOLEAN NOT NULL DEFAULT FALSE;
