import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import Database from 'better-sqlite3'
import { UsageError } from '../lib/core/errors.js'
import { asLedgerError, LedgerError } from './errors.js'

/** The five tables of schema v2 and the columns that each must have. */
const SCHEMA_V2: Readonly<Record<string, readonly string[]>> = {
  student: ['email', 'first_name', 'last_name', 'mq_id', 'created_at'],
  key: ['key_hash', 'key_label', 'email', 'key_name', 'created_at', 'credit_limit', 'disabled'],
  usage: ['id', 'key_hash', 'usage', 'checked_at'],
  changelog: ['id', 'key_hash', 'action', 'old_value', 'new_value', 'changed_at'],
  schema_version: ['version'],
}

/** Whether there is anything at a path. */
export function ledgerExists(path: string): boolean {
  return existsSync(path)
}

/**
 * Looks at a file without changing it, and refuses what is not a ledger of schema v2.
 * @returns the hashes of the migrations it has had; none for a ledger of the Python tool
 * @throws UsageError `ledger_missing`; LedgerError `ledger_not_ours`, `ledger_too_old`, `ledger_too_new`
 */
export function inspectLedger(path: string): string[] {
  if (!ledgerExists(path)) {
    throw new UsageError(
      'ledger_missing',
      `There is no ledger at ${path}. Run class-keys init-db to create it. If the class has one, go to its folder or name it with --db.`,
    )
  }
  if (statSync(path).isDirectory()) {
    throw new LedgerError('ledger_not_ours', `${path} is a folder, not a ledger. Name a file with --db.`, 2)
  }
  if (statSync(path).size === 0) {
    const message = `${path} is an empty file, not a ledger. Delete it, then run class-keys init-db.`
    throw new LedgerError('ledger_not_ours', message, 2)
  }
  try {
    return look(openUnchanged(path), path)
  } catch (error) {
    if (!wasBrokenOff(error)) throw asLedgerError(error, path)
  }
  try {
    return look(new Database(path, { fileMustExist: true }), path)
  } catch (error) {
    throw asLedgerError(error, path)
  }
}

function look(sqlite: Database.Database, path: string): string[] {
  try {
    return inspect(sqlite, path)
  } finally {
    sqlite.close()
  }
}

/**
 * Whether a program was killed in the middle of a commit: SQLite then has to put the last whole state back
 * before anybody can read, which only a connection that may write does.
 */
function wasBrokenOff(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_READONLY_')
}

/**
 * Opens a file for a look that leaves nothing behind: SQLite puts two files beside a database with a
 * write-ahead log even to read it, so that one is looked at in memory.
 */
function openUnchanged(path: string): Database.Database {
  if (!isWriteAhead(path) || existsSync(`${path}-wal`)) {
    return new Database(path, { fileMustExist: true, readonly: true })
  }
  const bytes = readFileSync(path)
  bytes[18] = bytes[19] = 1
  return new Database(bytes)
}

/** Whether the header's format bytes say that the database has a write-ahead log. */
function isWriteAhead(path: string): boolean {
  const header = Buffer.alloc(20)
  const file = openSync(path, 'r')
  try {
    readSync(file, header, 0, header.length, 0)
  } finally {
    closeSync(file)
  }
  return header.subarray(0, 15).toString() === 'SQLite format 3' && header[18] === 2
}

function inspect(sqlite: Database.Database, path: string): string[] {
  const names = sqlite
    .prepare<[], { name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
    .all()
  const tables = new Set(names.map((row) => row.name))
  const advice = 'Name another file with --db, or move this one away and run class-keys init-db.'
  const missing = Object.keys(SCHEMA_V2).filter((table) => !tables.has(table))
  if (missing.includes('student') && missing.includes('key')) {
    const found = tables.size === 0 ? 'has no tables' : `has the tables ${[...tables].sort().join(', ')}`
    throw new LedgerError(
      'ledger_not_ours',
      `${path} is not a ledger: it is a database that ${found}. ${advice}`,
      2,
    )
  }
  const version = tables.has('schema_version') ? versionOf(sqlite) : undefined
  if (version === undefined || version < 2) {
    const found = version === undefined ? 'it names no schema version' : `it is at schema v${version}`
    const way =
      'Bring it to v2 with the tool that made it, or move it away and run class-keys init-db, then class-keys check.'
    throw new LedgerError('ledger_too_old', `${path} is from before schema v2: ${found}. ${way}`, 2)
  }
  if (version > 2) {
    const message = `${path} is at schema v${version}, and this class-keys knows v2. Install a newer class-keys.`
    throw new LedgerError('ledger_too_new', message, 2)
  }
  const wrong = missing.concat(Object.keys(SCHEMA_V2).filter((table) => !hasColumns(sqlite, table)))
  if (wrong.length > 0) {
    const message = `${path} says schema v2, but ${[...new Set(wrong)].join(', ')} is not as v2 has it. ${advice}`
    throw new LedgerError('ledger_not_ours', message, 2)
  }
  if (!tables.has('__drizzle_migrations')) return []
  return sqlite
    .prepare<[], { hash: string }>('SELECT hash FROM __drizzle_migrations')
    .all()
    .map((row) => row.hash)
}

function versionOf(sqlite: Database.Database): number | undefined {
  const columns = columnsOf(sqlite, 'schema_version')
  if (!columns.includes('version')) return undefined
  const row = sqlite
    .prepare<[], { version: unknown }>('SELECT MAX(version) AS version FROM schema_version')
    .get()
  return row?.version === null || row?.version === undefined ? undefined : Number(row.version)
}

function hasColumns(sqlite: Database.Database, table: string): boolean {
  const columns = columnsOf(sqlite, table)
  return (SCHEMA_V2[table] ?? []).every((column) => columns.includes(column))
}

function columnsOf(sqlite: Database.Database, table: string): string[] {
  return (sqlite.pragma(`table_info(${table})`) as { name: string }[]).map((row) => row.name)
}
