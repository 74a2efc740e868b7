-- What a server needs besides the log, and quicker lists of what holds now.

-- +goose Up
-- decisions.content now leaves out the windows that sources cover, but of periods;
-- rows of before keep theirs, which verification takes for right too.

-- When the latest decision is as of, so that lists of the latest ones need not look
-- at the others.
ALTER TABLE subjects ADD COLUMN evaluated_at BIGINT NOT NULL DEFAULT 0;
UPDATE subjects SET evaluated_at = COALESCE((SELECT d.evaluated_at FROM decisions d WHERE d.leaf = subjects.leaf), 0);
CREATE INDEX subjects_time ON subjects (evaluated_at, leaf);

-- Changes that somebody made through the API are entries like any other.
CREATE INDEX entries_actions ON entries (idx) WHERE kind = 'action';

-- Everything below is not part of the log and cannot be derived from it, so
-- verification says nothing about it: it is work to do, and who may ask for it. What
-- comes of a delivery, and what is done with a token, is in the log.

-- Payloads of webhook deliveries, deflated, once each; digest is their SHA-256.
CREATE TABLE payloads (
	digest BYTEA PRIMARY KEY,
	body   BYTEA NOT NULL
);
ALTER TABLE payloads ALTER COLUMN body SET STORAGE EXTERNAL;

-- Webhook deliveries. Without processed_at they are still to be mapped to events;
-- with a fault they could not be.
CREATE TABLE deliveries (
	source       TEXT COLLATE "C" NOT NULL,
	id           TEXT COLLATE "C" NOT NULL,
	event        TEXT COLLATE "C" NOT NULL,
	received_at  BIGINT NOT NULL,
	digest       BYTEA NOT NULL,
	processed_at BIGINT,
	fault        TEXT COLLATE "C",
	PRIMARY KEY (source, id)
);
CREATE INDEX deliveries_pending ON deliveries (received_at, source, id) WHERE processed_at IS NULL;
CREATE INDEX deliveries_done ON deliveries (processed_at, source, id) WHERE processed_at IS NOT NULL;
CREATE INDEX deliveries_digest ON deliveries (digest);

-- Bearer tokens; hash is the SHA-256 of the token, which is nowhere.
CREATE TABLE tokens (
	id         TEXT COLLATE "C" PRIMARY KEY,
	name       TEXT COLLATE "C" NOT NULL,
	role       TEXT COLLATE "C" NOT NULL,
	hash       TEXT COLLATE "C" NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	revoked_at BIGINT
);

-- Notifications that were sent, or are being sent, so that each is sent once. claim
-- is a random number of whoever claimed it.
CREATE TABLE notices (
	name       TEXT COLLATE "C" PRIMARY KEY,
	claim      BYTEA NOT NULL,
	claimed_at BIGINT NOT NULL
);
CREATE INDEX notices_age ON notices (claimed_at);
