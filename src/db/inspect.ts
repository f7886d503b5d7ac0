import { existsSync, statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { UsageError } from '../lib/core/errors.js'
import { asLedgerError, LedgerError } from './errors.js'
import { lookAt, openSnapshot } from './snapshot.js'

/** The five tables of schema v2 and the columns that each must have. */
const SCHEMA_V2: Readonly<Record<string, readonly string[]>> = {
  student: ['email', 'first_name', 'last_name', 'mq_id', 'created_at'],
  key: ['key_hash', 'key_label', 'email', 'key_name', 'created_at', 'credit_limit', 'disabled'],
  usage: ['id', 'key_hash', 'usage', 'checked_at'],
  changelog: ['id', 'key_hash', 'action', 'old_value', 'new_value', 'changed_at'],
  schema_version: ['version'],
}

/**
 * Whether there is anything at a path.
 * @throws UsageError `bad_ledger_path` where the path is empty
 */
export function ledgerExists(path: string): boolean {
  if (path.trim() !== '') return existsSync(path)
  throw new UsageError('bad_ledger_path', 'The path of the ledger is empty. Name a file with --db.')
}

/** A ledger that has been looked at, and is worked with in memory. */
export interface Inspected {
  /** Its last whole state; to be closed. */
  snapshot: Database.Database
  /** The hashes of the migrations it has had; none for a ledger of the Python tool. */
  done: string[]
}

/**
 * Looks at a file and leaves it and all beside it as they are, and refuses what is not a ledger of schema v2.
 * @returns the hashes of the migrations it has had; none for a ledger of the Python tool
 * @throws UsageError `bad_ledger_path`, `ledger_missing`; LedgerError `ledger_not_ours`, `ledger_too_old`, `ledger_too_new`, and what
 *   openSnapshot throws
 */
export async function inspectLedger(path: string): Promise<string[]> {
  expectFile(path)
  try {
    return await lookAt(path, (sqlite) => inspect(sqlite, path))
  } catch (error) {
    throw asLedgerError(error, path)
  }
}

/**
 * The same for a ledger that is worked with in memory.
 * @throws what inspectLedger throws
 */
export async function inspectCopy(path: string): Promise<Inspected> {
  expectFile(path)
  let snapshot: Database.Database | undefined
  try {
    snapshot = await openSnapshot(path)
    return { snapshot, done: inspect(snapshot, path) }
  } catch (error) {
    snapshot?.close()
    throw asLedgerError(error, path)
  }
}

/** @throws UsageError `ledger_missing`, `bad_ledger_path` */
export function expectLedger(path: string): void {
  if (ledgerExists(path)) return
  throw new UsageError(
    'ledger_missing',
    `There is no ledger at ${path}. Run class-keys init-db to create it. If the class has one, go to its folder or name it with --db.`,
  )
}

function expectFile(path: string): void {
  expectLedger(path)
  if (statSync(path).isDirectory()) {
    throw new LedgerError('ledger_not_ours', `${path} is a folder, not a ledger. Name a file with --db.`, 2)
  }
  if (statSync(path).size === 0) {
    const message = `${path} is an empty file, not a ledger. Delete it, then run class-keys init-db.`
    throw new LedgerError('ledger_not_ours', message, 2)
  }
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
