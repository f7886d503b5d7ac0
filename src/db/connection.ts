import { resolve } from 'node:path'
import Database from 'better-sqlite3'
import { type BetterSQLite3Database, drizzle } from 'drizzle-orm/better-sqlite3'
import * as tables from './tables.js'

/** A connection to a ledger, or a transaction on one. */
export type Db = Pick<BetterSQLite3Database<typeof tables>, 'select' | 'insert' | 'update' | 'delete' | 'run'>

/** An open connection to a ledger. */
export interface Connection {
  db: BetterSQLite3Database<typeof tables>
  sqlite: Database.Database
}

/** How long a statement waits for another program's lock, in milliseconds. */
const BUSY_TIMEOUT_MS = 5_000

/**
 * Opens a ledger file that is there. What is committed survives a power cut: the journal and its removal are
 * on the disk before a commit returns. A rollback journal and not a write-ahead log, so that between
 * commits everything is in the one file, which people copy and keep in synchronised folders.
 */
export function connect(path: string, { busyTimeout = BUSY_TIMEOUT_MS } = {}): Connection {
  // By itself `:memory:` would be no file.
  const sqlite = new Database(resolve(path), { fileMustExist: true, timeout: busyTimeout })
  try {
    sqlite.pragma('journal_mode = DELETE')
    sqlite.pragma('synchronous = EXTRA')
    sqlite.pragma('fullfsync = ON')
  } catch (error) {
    sqlite.close()
    throw error
  }
  return wrap(sqlite)
}

/** An open database as a connection to a ledger. */
export function wrap(sqlite: Database.Database): Connection {
  return { sqlite, db: drizzle({ client: sqlite, schema: tables }) }
}
