-- A small HawkFish: foreign keys, a trigger, a view, a sequence, blobs, and names that need quotes.
PRAGMA journal_mode = WAL;
PRAGMA user_version = 7;
BEGIN;
CREATE TABLE hf_profiles (id TEXT PRIMARY KEY, spec TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE hf_systems (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  profile TEXT REFERENCES hf_profiles (id) ON DELETE CASCADE,
  disk BLOB
);
CREATE TABLE audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  timestamp TEXT NOT NULL,
  action TEXT NOT NULL,
  "status code" INTEGER
);
-- Changed with audit_log in one transaction: a copy in which the two differ is torn.
CREATE TABLE hf_counters (name TEXT PRIMARY KEY, total INTEGER NOT NULL);
CREATE TRIGGER audit_counted AFTER INSERT ON audit_log
BEGIN
  UPDATE hf_counters SET total = total + 1 WHERE name = 'audit_log';
END;
CREATE VIEW failures AS SELECT * FROM audit_log WHERE "status code" >= 400;
INSERT INTO hf_counters VALUES ('audit_log', 0);
INSERT INTO hf_profiles VALUES ('small', '{"cpu": 1}'), ('groß', '{"cpu": 64}');
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO hf_systems SELECT i, 'system-' || i, iif(i % 2, 'small', 'groß'), randomblob(64) FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO audit_log (timestamp, action, "status code")
SELECT datetime('2025-06-30', '+' || i || ' minutes'), 'power', iif(i % 10, 200, 500) FROM n;
COMMIT;
