-- Shared by SQLite and PostgreSQL: no arrays, no now(), no dialect.

-- name: LockLedger :one
-- Takes the one lock of all writers, until the transaction ends.
UPDATE ledger SET size = size WHERE id = 1 RETURNING origin, size, edge, checkpoint, public_key, recorded_at;

-- name: Ledger :one
SELECT origin, size, edge, checkpoint, public_key, recorded_at FROM ledger WHERE id = 1;

-- name: CreateLedger :exec
INSERT INTO ledger (id, origin, size, edge, checkpoint, public_key, recorded_at)
VALUES (1, $1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING;

-- name: UpdateLedger :exec
UPDATE ledger SET size = $1, edge = $2, checkpoint = $3, public_key = $4, recorded_at = $5 WHERE id = 1;

-- name: InsertEntry :exec
INSERT INTO entries (idx, kind, ref, recorded_at, supersedes, judge, hash, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: InsertNode :exec
INSERT INTO nodes (level, idx, hash) VALUES ($1, $2, $3);

-- name: Entry :one
SELECT idx, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by FROM entries WHERE idx = $1;

-- name: Entries :many
SELECT idx, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by FROM entries
WHERE idx >= $1 ORDER BY idx LIMIT $2;

-- name: EntryTime :one
SELECT recorded_at FROM entries WHERE idx = $1;

-- name: LatestEntry :one
SELECT idx FROM entries
WHERE kind = $1 AND ref = $2 AND kind <> 'decision' AND kind <> 'events' ORDER BY idx DESC LIMIT 1;

-- name: EntriesOfKind :many
SELECT idx, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by FROM entries
WHERE kind = $1 AND kind <> 'decision' AND kind <> 'events' ORDER BY ref, idx;

-- name: LeafHashes :many
SELECT hash FROM entries WHERE idx >= $1 AND idx < $2 ORDER BY idx;

-- name: NodeHashes :many
SELECT hash FROM nodes WHERE level = $1 AND idx >= $2 AND idx < $3 ORDER BY idx;

-- name: InsertCheckpoint :exec
INSERT INTO checkpoints (size, note, recorded_at) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING;

-- name: Checkpoints :many
SELECT size, note, recorded_at FROM checkpoints ORDER BY size;

-- name: InsertDossier :exec
INSERT INTO dossiers (digest, body) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING;

-- name: Dossier :one
SELECT body FROM dossiers WHERE digest = $1;

-- name: InsertDecision :exec
INSERT INTO decisions (leaf, id, subject_type, subject_id, outcome, class, risk, evaluated_at, recorded_at, next_evaluation_at, dossier, content)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: DecisionLeaf :one
SELECT leaf FROM decisions WHERE id = $1;

-- name: DecisionByID :one
SELECT d.leaf, d.id, d.subject_type, d.subject_id, d.outcome, d.class, d.risk, d.evaluated_at, d.recorded_at, d.next_evaluation_at, d.dossier, e.supersedes, e.judge, e.body
FROM decisions d JOIN entries e ON e.idx = d.leaf WHERE d.id = $1;

-- name: DecisionsOf :many
SELECT d.leaf, d.id, d.subject_type, d.subject_id, d.outcome, d.class, d.risk, d.evaluated_at, d.recorded_at, d.next_evaluation_at, d.dossier, e.supersedes, e.judge, e.body
FROM decisions d JOIN entries e ON e.idx = d.leaf WHERE d.subject_type = $1 AND d.subject_id = $2 ORDER BY d.leaf;

-- name: Latest :one
SELECT d.id, d.evaluated_at, d.next_evaluation_at, d.content, e.judge
FROM subjects s JOIN decisions d ON d.leaf = s.leaf JOIN entries e ON e.idx = s.leaf WHERE s.type = $1 AND s.id = $2;

-- name: SetSubject :exec
INSERT INTO subjects (type, id, leaf, outcome, next_evaluation_at, evaluated_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (type, id) DO UPDATE SET leaf = excluded.leaf, outcome = excluded.outcome,
	next_evaluation_at = excluded.next_evaluation_at, evaluated_at = excluded.evaluated_at;

-- name: InsertEvent :exec
INSERT INTO events (id, leaf, start, length, source, type, subject_type, subject_id, occurred_at, payload)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: EventLeaf :one
SELECT leaf FROM events WHERE id = $1;

-- name: SetCursor :exec
INSERT INTO cursors (name, cursor, recorded_at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, recorded_at = excluded.recorded_at;

-- name: Cursor :one
SELECT cursor FROM cursors WHERE name = $1;

-- name: InsertRelease :exec
INSERT INTO releases (version, effective_from, leaf) VALUES ($1, $2, $3);

-- name: Releases :many
SELECT r.version, r.effective_from, r.leaf, e.recorded_at, e.body FROM releases r JOIN entries e ON e.idx = r.leaf ORDER BY r.effective_from;

-- name: DecisionsIn :many
SELECT d.leaf, d.id, d.subject_type, d.subject_id, d.outcome, d.class, d.risk, d.evaluated_at, d.recorded_at, d.next_evaluation_at, d.dossier, d.content, o.body
FROM decisions d LEFT JOIN dossiers o ON o.digest = d.dossier WHERE d.leaf >= $1 AND d.leaf < $2 ORDER BY d.leaf;

-- name: EventsIn :many
SELECT id, leaf, start, length, source, type, subject_type, subject_id, occurred_at, payload
FROM events WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf, start;

-- name: ReleaseRows :many
SELECT version, effective_from, leaf FROM releases ORDER BY leaf;

-- name: EntriesBeyond :many
SELECT idx, kind, ref FROM entries WHERE idx < 0 OR idx >= $1 ORDER BY idx LIMIT $2;

-- name: DecisionsBeyond :many
SELECT leaf, id FROM decisions WHERE leaf < 0 OR leaf >= $1 ORDER BY leaf LIMIT $2;

-- name: EventsBeyond :many
SELECT leaf, id FROM events WHERE leaf < 0 OR leaf >= $1 ORDER BY leaf LIMIT $2;

-- name: StrayDossiers :many
SELECT o.digest FROM dossiers o WHERE NOT EXISTS (SELECT 1 FROM decisions d WHERE d.dossier = o.digest) ORDER BY o.digest LIMIT $1;

-- name: WrongSubjects :many
SELECT s.type, s.id, s.leaf FROM subjects s LEFT JOIN decisions d ON d.leaf = s.leaf
WHERE d.leaf IS NULL OR d.subject_type <> s.type OR d.subject_id <> s.id OR d.outcome <> s.outcome
	OR d.evaluated_at <> s.evaluated_at OR COALESCE(d.next_evaluation_at, -1) <> COALESCE(s.next_evaluation_at, -1)
	OR EXISTS (SELECT 1 FROM decisions x WHERE x.subject_type = s.type AND x.subject_id = s.id AND x.leaf > s.leaf)
ORDER BY s.type, s.id LIMIT $1;

-- name: MissingSubjects :many
SELECT d.subject_type, d.subject_id, d.leaf FROM decisions d
WHERE NOT EXISTS (SELECT 1 FROM subjects s WHERE s.type = d.subject_type AND s.id = d.subject_id) ORDER BY d.leaf LIMIT $1;

-- name: CountNodes :one
SELECT COUNT(*) FROM nodes;

-- name: TagsIn :many
SELECT tag, evaluated_at, leaf FROM tags WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf, tag, evaluated_at;

-- name: Removable :many
-- due is the deadline of a decision that is the latest on its subject, else 0.
SELECT e.idx, e.kind, CAST(LENGTH(e.body) AS BIGINT) AS size, CAST(COALESCE(d.subject_type, '') AS TEXT) AS subject_type,
	CAST(COALESCE(d.subject_id, '') AS TEXT) AS subject_id, CAST(COALESCE(s.next_evaluation_at, 0) AS BIGINT) AS due
FROM entries e LEFT JOIN decisions d ON d.leaf = e.idx
	LEFT JOIN subjects s ON s.type = d.subject_type AND s.id = d.subject_id AND s.leaf = d.leaf
WHERE e.idx >= $1 AND e.idx < $2 AND e.body IS NOT NULL AND (e.kind = 'decision' OR e.kind = 'events') ORDER BY e.idx;

-- name: Headers :many
SELECT idx, kind, ref, recorded_at, supersedes, judge FROM entries WHERE idx >= $1 AND idx <= $2 ORDER BY idx;

-- name: LastRetention :one
SELECT CAST(COALESCE(MAX(idx), -1) AS BIGINT) FROM entries WHERE kind = 'retention' AND kind <> 'decision' AND kind <> 'events';

-- name: CountEvents :one
SELECT COUNT(*) FROM events WHERE leaf >= $1 AND leaf <= $2;

-- name: LastOnDossier :one
SELECT NOT EXISTS (SELECT 1 FROM decisions o JOIN decisions d ON d.dossier = o.dossier WHERE d.leaf = $1 AND o.leaf > $1);

-- name: DeleteTag :exec
DELETE FROM tags WHERE tag = $1 AND evaluated_at = $2 AND leaf = $3;

-- name: DeleteDecision :one
DELETE FROM decisions WHERE leaf = $1 RETURNING dossier;

-- name: DeleteDossier :execrows
DELETE FROM dossiers WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.dossier = $1);

-- name: DeleteSubject :exec
DELETE FROM subjects WHERE leaf = $1 AND type = $2 AND id = $3;

-- name: DeleteEvents :exec
DELETE FROM events WHERE leaf >= $1 AND leaf <= $2;

-- name: RemoveBodies :exec
UPDATE entries SET body = NULL, pruned_by = $1
WHERE idx >= $2 AND idx <= $3 AND body IS NOT NULL AND (kind = 'decision' OR kind = 'events');

-- name: DossiersAfter :many
SELECT digest, body FROM dossiers WHERE digest > $1 ORDER BY digest LIMIT $2;

-- name: Cursors :many
SELECT name, cursor, recorded_at FROM cursors ORDER BY name;

-- name: RestoreEntry :exec
INSERT INTO entries (idx, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: CountTag :one
-- The order makes PostgreSQL walk through the index, and not look for any 500.
SELECT COUNT(*) FROM (SELECT 1 FROM tags WHERE tag = $1 ORDER BY evaluated_at DESC, leaf DESC LIMIT 500) AS few;

-- name: Actions :many
SELECT idx, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by FROM entries
WHERE kind = 'action' AND idx > $1 ORDER BY idx LIMIT $2;

-- name: InsertPayload :exec
-- Updating nothing keeps the row locked until the delivery that wants it is there.
INSERT INTO payloads (digest, body) VALUES ($1, $2) ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest;

-- name: LockPayload :exec
UPDATE payloads SET digest = digest WHERE digest = $1;

-- name: DeletePayload :exec
-- Only after LockPayload: a delivery of the same payload may be coming in.
DELETE FROM payloads WHERE payloads.digest = $1 AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.digest = $1);

-- name: InsertDelivery :execrows
INSERT INTO deliveries (source, id, event, received_at, digest) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source, id) DO NOTHING;

-- name: HasDelivery :one
SELECT COUNT(*) FROM deliveries WHERE source = $1 AND id = $2;

-- name: PendingDeliveries :many
SELECT d.source, d.id, d.event, d.received_at, d.digest, p.body
FROM deliveries d LEFT JOIN payloads p ON p.digest = d.digest
WHERE d.processed_at IS NULL ORDER BY d.received_at, d.source, d.id LIMIT $1;

-- name: FinishDelivery :execrows
UPDATE deliveries SET processed_at = $1, fault = $2 WHERE source = $3 AND id = $4 AND processed_at IS NULL;

-- name: DoneDeliveries :many
SELECT source, id, digest FROM deliveries WHERE processed_at IS NOT NULL AND processed_at < $1 ORDER BY processed_at, source, id LIMIT $2;

-- name: CountDoneDeliveries :one
SELECT COUNT(*) FROM deliveries WHERE processed_at IS NOT NULL AND processed_at < $1;

-- name: DeleteDelivery :exec
DELETE FROM deliveries WHERE source = $1 AND id = $2;

-- name: OpenDeliveries :many
-- Those of which nothing came yet.
SELECT d.source, d.id, d.event, d.received_at, d.digest, d.processed_at, d.fault, p.body
FROM deliveries d LEFT JOIN payloads p ON p.digest = d.digest
WHERE (d.source, d.id) > ($1, $2) AND (d.processed_at IS NULL OR d.fault IS NOT NULL) ORDER BY d.source, d.id LIMIT $3;

-- name: RestoreDelivery :exec
INSERT INTO deliveries (source, id, event, received_at, digest, processed_at, fault) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: InsertToken :exec
INSERT INTO tokens (id, name, role, hash, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: CountToken :one
SELECT COUNT(*) FROM tokens WHERE id = $1 OR hash = $2;

-- name: Tokens :many
SELECT id, name, role, hash, created_at, expires_at, revoked_at FROM tokens ORDER BY created_at, id;

-- name: Token :one
SELECT id, name, role, hash, created_at, expires_at, revoked_at FROM tokens WHERE id = $1;

-- name: TokenByHash :one
SELECT id, name, role, hash, created_at, expires_at, revoked_at FROM tokens WHERE hash = $1;

-- name: RevokeToken :exec
UPDATE tokens SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL;

-- name: InsertNotice :exec
INSERT INTO notices (name, claim, claimed_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING;

-- name: NoticeClaim :one
SELECT claim FROM notices WHERE name = $1;

-- name: DeleteNotice :exec
DELETE FROM notices WHERE name = $1;

-- name: Notices :many
SELECT name, claim, claimed_at FROM notices ORDER BY name;

-- name: DeleteNoticesBefore :exec
DELETE FROM notices WHERE claimed_at < $1;
