-- Times are microseconds since 1970 in UTC; bodies and dossiers are deflated.

-- +goose Up
-- The head of the log. Writers lock its one row, so they write one after another.
CREATE TABLE ledger (
	id          BIGINT PRIMARY KEY CHECK (id = 1),
	origin      TEXT COLLATE "C" NOT NULL,
	size        BIGINT NOT NULL,
	edge        BYTEA NOT NULL,
	checkpoint  BYTEA NOT NULL,
	public_key  TEXT COLLATE "C" NOT NULL,
	recorded_at BIGINT NOT NULL
);

-- The log. hash is the hash of the leaf, which header columns and body make up.
-- Without a body the entry was removed by the retention entry pruned_by.
CREATE TABLE entries (
	idx         BIGINT PRIMARY KEY,
	kind        TEXT COLLATE "C" NOT NULL,
	ref         TEXT COLLATE "C" NOT NULL,
	recorded_at BIGINT NOT NULL,
	supersedes  TEXT COLLATE "C",
	judge       TEXT COLLATE "C",
	hash        BYTEA NOT NULL,
	body        BYTEA,
	pruned_by   BIGINT
);
-- Bodies are compressed already.
ALTER TABLE entries ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX entries_ref ON entries (kind, ref, idx) WHERE kind <> 'decision' AND kind <> 'events';

-- Nodes of the tree above the leaves that tiles hold: level 1 stands above 256 leaves.
CREATE TABLE nodes (
	level BIGINT NOT NULL,
	idx   BIGINT NOT NULL,
	hash  BYTEA NOT NULL,
	PRIMARY KEY (level, idx)
);

-- Checkpoints that were given away.
CREATE TABLE checkpoints (
	size        BIGINT PRIMARY KEY,
	note        BYTEA NOT NULL,
	recorded_at BIGINT NOT NULL
);

-- Everything below can be derived from entries and dossiers; verification does.

-- Canonical dossiers, once each; digest is their SHA-256.
CREATE TABLE dossiers (
	digest BYTEA PRIMARY KEY,
	body   BYTEA NOT NULL
);

ALTER TABLE dossiers ALTER COLUMN body SET STORAGE EXTERNAL;

-- content is the digest of the dossier without evaluated_at.
CREATE TABLE decisions (
	leaf               BIGINT PRIMARY KEY,
	id                 TEXT COLLATE "C" NOT NULL UNIQUE,
	subject_type       TEXT COLLATE "C" NOT NULL,
	subject_id         TEXT COLLATE "C" NOT NULL,
	outcome            TEXT COLLATE "C" NOT NULL,
	class              TEXT COLLATE "C" NOT NULL,
	risk               TEXT COLLATE "C" NOT NULL,
	evaluated_at       BIGINT NOT NULL,
	recorded_at        BIGINT NOT NULL,
	next_evaluation_at BIGINT,
	dossier            BYTEA NOT NULL,
	content            BYTEA NOT NULL
);
CREATE INDEX decisions_time ON decisions (evaluated_at, leaf);
CREATE INDEX decisions_subject ON decisions (subject_type, subject_id, leaf);
CREATE INDEX decisions_dossier ON decisions (dossier);

-- What decisions can be found by: a tag is a hash of "outcome:unknown",
-- "person:mia" and the like.
CREATE TABLE tags (
	tag          BIGINT NOT NULL,
	evaluated_at BIGINT NOT NULL,
	leaf         BIGINT NOT NULL,
	PRIMARY KEY (tag, evaluated_at, leaf)
);

-- The latest decision on each subject.
CREATE TABLE subjects (
	type               TEXT COLLATE "C" NOT NULL,
	id                 TEXT COLLATE "C" NOT NULL,
	leaf               BIGINT NOT NULL,
	outcome            TEXT COLLATE "C" NOT NULL,
	next_evaluation_at BIGINT,
	PRIMARY KEY (type, id)
);
CREATE INDEX subjects_outcome ON subjects (outcome, type, id);
CREATE INDEX subjects_deadline ON subjects (next_evaluation_at, type, id) WHERE next_evaluation_at IS NOT NULL;

-- Events; their text is length bytes from start in the body of entry leaf.
CREATE TABLE events (
	id           TEXT COLLATE "C" PRIMARY KEY,
	leaf         BIGINT NOT NULL,
	start        BIGINT NOT NULL,
	length       BIGINT NOT NULL,
	source       TEXT COLLATE "C" NOT NULL,
	type         TEXT COLLATE "C" NOT NULL,
	subject_type TEXT COLLATE "C" NOT NULL,
	subject_id   TEXT COLLATE "C" NOT NULL,
	occurred_at  BIGINT NOT NULL,
	payload      TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX events_leaf ON events (leaf, start);
CREATE INDEX events_type ON events (type, leaf, start);
CREATE INDEX events_source ON events (source, leaf, start);
CREATE INDEX events_subject ON events (subject_type, subject_id, leaf, start);

CREATE TABLE releases (
	version        TEXT COLLATE "C" PRIMARY KEY,
	effective_from BIGINT NOT NULL UNIQUE,
	leaf           BIGINT NOT NULL
);

-- Where collectors go on. Not part of the log: a cursor says nothing about a change.
CREATE TABLE cursors (
	name        TEXT COLLATE "C" PRIMARY KEY,
	cursor      BYTEA NOT NULL,
	recorded_at BIGINT NOT NULL
);
