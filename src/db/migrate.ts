import { fileURLToPath } from 'node:url'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator'
import type { Connection } from './connection.js'
import { LedgerError } from './errors.js'

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** The migrations that come with this version of the tool, in order. */
export function migrations(): MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder })
}

/**
 * Brings a ledger up to date. One that the Python tool made has the tables of the first migration already, and
 * is told so before the others run.
 * @param done the hashes of the migrations that the ledger has had
 * @throws LedgerError `ledger_too_new` where it has had one that this version does not know
 */
export function bringUpToDate({ db, sqlite }: Connection, done: readonly string[], path: string): void {
  const known = migrations()
  const unknown = done.filter((hash) => !known.some((migration) => migration.hash === hash))
  if (unknown.length > 0) {
    throw new LedgerError(
      'ledger_too_new',
      `${path} was made by a newer class-keys. Install that version.`,
      2,
    )
  }
  if (known.every((migration) => done.includes(migration.hash))) return
  // Inside a transaction, where migrations run, this pragma would do nothing, and a table that is rebuilt
  // would take its children with it.
  sqlite.pragma('foreign_keys = OFF')
  const before = violations(sqlite)
  if (done.length === 0) adoptBaseline(sqlite, known[0])
  migrate(db, { migrationsFolder })
  // Rows that the Python tool left without their parents are not ours to mend; new ones would be our fault.
  if (violations(sqlite) > before)
    throw new Error(`the migration of ${path} broke references between its rows`)
  sqlite.pragma('foreign_keys = ON')
}

function adoptBaseline(sqlite: Connection['sqlite'], baseline: MigrationMeta | undefined): void {
  const hasTables = sqlite
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'student'")
    .get()
  if (!hasTables || !baseline) return
  sqlite.exec(
    'CREATE TABLE IF NOT EXISTS __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
  )
  const insert = sqlite.prepare(
    'INSERT INTO __drizzle_migrations (hash, created_at) SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM __drizzle_migrations)',
  )
  insert.run(baseline.hash, baseline.folderMillis)
}

function violations(sqlite: Connection['sqlite']): number {
  return (sqlite.pragma('foreign_key_check') as unknown[]).length
}
