import Database from 'better-sqlite3'
import { query, type Row } from './sqlite.js'

/** The ways in which the tables of schema v2 may have been declared; the columns are always the same. */
export const DIALECTS = {
  'declared as in SQL textbooks': `
    CREATE TABLE student (
      email TEXT PRIMARY KEY,
      first_name TEXT NOT NULL,
      last_name TEXT NOT NULL,
      mq_id TEXT UNIQUE,
      created_at TIMESTAMP NOT NULL
    );
    CREATE TABLE key (
      key_hash TEXT PRIMARY KEY,
      key_label TEXT,
      email TEXT NOT NULL,
      key_name TEXT NOT NULL,
      created_at TIMESTAMP NOT NULL,
      credit_limit REAL,
      disabled BOOLEAN NOT NULL DEFAULT 0,
      FOREIGN KEY (email) REFERENCES student (email)
    );
    CREATE TABLE usage (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      key_hash TEXT NOT NULL,
      usage REAL NOT NULL,
      checked_at TIMESTAMP NOT NULL,
      FOREIGN KEY (key_hash) REFERENCES key (key_hash)
    );
    CREATE TABLE changelog (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      key_hash TEXT,
      action TEXT NOT NULL,
      old_value TEXT,
      new_value TEXT,
      changed_at TIMESTAMP NOT NULL,
      FOREIGN KEY (key_hash) REFERENCES key (key_hash)
    );
    CREATE TABLE schema_version (version INTEGER PRIMARY KEY);`,
  'declared with hardly any constraint': `
    CREATE TABLE schema_version (version INT);
    CREATE TABLE student (email TEXT PRIMARY KEY, first_name, last_name, mq_id TEXT, created_at TEXT);
    CREATE TABLE key (key_hash TEXT PRIMARY KEY, key_label TEXT, email TEXT, key_name TEXT, created_at TEXT,
      credit_limit NUMERIC, disabled INTEGER);
    CREATE TABLE usage (id INTEGER PRIMARY KEY, key_hash TEXT, usage NUMERIC, checked_at TEXT);
    CREATE TABLE changelog (id INTEGER PRIMARY KEY, key_hash TEXT, action TEXT, old_value TEXT, new_value TEXT,
      changed_at TEXT);`,
  'declared with defaults, indexes and cascades': `
    CREATE TABLE IF NOT EXISTS "student" (
      "email" VARCHAR(255) NOT NULL PRIMARY KEY,
      "first_name" VARCHAR(255) NOT NULL,
      "last_name" VARCHAR(255) NOT NULL,
      "mq_id" VARCHAR(32) UNIQUE,
      "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE IF NOT EXISTS "key" (
      "key_hash" VARCHAR(64) NOT NULL PRIMARY KEY,
      "key_label" VARCHAR(64),
      "email" VARCHAR(255) NOT NULL REFERENCES "student" ("email") ON UPDATE CASCADE ON DELETE CASCADE,
      "key_name" VARCHAR(255) NOT NULL,
      "created_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
      "credit_limit" FLOAT DEFAULT NULL,
      "disabled" BOOLEAN NOT NULL DEFAULT FALSE
    );
    CREATE INDEX "idx_key_email" ON "key" ("email");
    CREATE TABLE IF NOT EXISTS "usage" (
      "id" INTEGER PRIMARY KEY,
      "key_hash" VARCHAR(64) NOT NULL REFERENCES "key" ("key_hash") ON DELETE CASCADE,
      "usage" FLOAT NOT NULL,
      "checked_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    CREATE INDEX "idx_usage_key" ON "usage" ("key_hash", "checked_at");
    CREATE TABLE IF NOT EXISTS "changelog" (
      "id" INTEGER PRIMARY KEY AUTOINCREMENT,
      "key_hash" VARCHAR(64) REFERENCES "key" ("key_hash") ON DELETE SET NULL,
      "action" VARCHAR(32) NOT NULL,
      "old_value" TEXT,
      "new_value" TEXT,
      "changed_at" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
    );
    CREATE TABLE IF NOT EXISTS "schema_version" ("version" INTEGER NOT NULL);`,
} as const

/** The tables that a ledger of the Python tool has. */
export const TABLES = ['student', 'key', 'usage', 'changelog', 'schema_version'] as const

/** A key of a ledger of the Python tool. */
export interface PythonKey {
  hash: string
  label?: string | null
  email: string
  name: string | null
  limit?: number | null
  disabled?: boolean
}

/** What goes into a ledger of the Python tool, beyond what makes it one. */
export interface PythonLedger {
  dialect?: keyof typeof DIALECTS
  version?: number
  students?: { email: string; first: string; last: string; mqId: string | null }[]
  keys?: PythonKey[]
  usage?: { hash: string; usage: number }[]
  changelog?: { hash: string | null; action: string; old?: string | null; new?: string | null }[]
}

/** Times as Python's `datetime.now().isoformat()` and `str(datetime.now())` write them: without a zone. */
const NAIVE = ['2026-02-19T20:52:27.363244', '2026-02-19 20:52:27']

/** Makes a ledger as the Python tool would: its own declarations, naive times, foreign keys not looked after. */
export function writePythonLedger(path: string, ledger: PythonLedger = {}): void {
  const { dialect = 'declared as in SQL textbooks', version = 2 } = ledger
  const sqlite = new Database(path)
  let rows = 0
  const time = () => NAIVE[rows++ % NAIVE.length]
  try {
    // Python's sqlite3 leaves foreign keys off.
    sqlite.pragma('foreign_keys = OFF')
    sqlite.exec(DIALECTS[dialect])
    sqlite.prepare('INSERT INTO schema_version (version) VALUES (?)').run(version)
    for (const { email, first, last, mqId } of ledger.students ?? [])
      sqlite.prepare('INSERT INTO student VALUES (?, ?, ?, ?, ?)').run(email, first, last, mqId, time())
    for (const key of ledger.keys ?? []) {
      const { hash, label = `sk-or-v1-${hash.slice(0, 3)}...${hash.slice(-3)}`, email, name } = key
      sqlite
        .prepare('INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, ?)')
        .run(hash, label, email, name, time(), key.limit ?? null, key.disabled ? 1 : 0)
    }
    for (const { hash, usage } of ledger.usage ?? [])
      sqlite
        .prepare('INSERT INTO usage (key_hash, usage, checked_at) VALUES (?, ?, ?)')
        .run(hash, usage, time())
    for (const change of ledger.changelog ?? [])
      sqlite
        .prepare(
          'INSERT INTO changelog (key_hash, action, old_value, new_value, changed_at) VALUES (?, ?, ?, ?, ?)',
        )
        .run(change.hash, change.action, change.old ?? null, change.new ?? null, time())
  } finally {
    sqlite.close()
  }
}

/** Every cell of the five tables, with the type that SQLite keeps it in, so that `3` and `3.0` are told apart. */
export function everyCell(path: string): Record<string, Row[]> {
  return Object.fromEntries(
    TABLES.map((table) => {
      const columns = query(path, 'SELECT name FROM pragma_table_info(?) ORDER BY cid', table).map(
        (r) => r.name,
      )
      const cells = columns.map((name) => `"${name}", typeof("${name}") AS "type of ${name}"`)
      return [table, query(path, `SELECT ${cells.join(', ')} FROM "${table}" ORDER BY rowid`)]
    }),
  )
}
