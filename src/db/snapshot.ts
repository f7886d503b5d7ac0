import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { asLedgerError, LedgerError, lockedLedger } from './errors.js'

/** What SQLite puts the last whole state together from; the index of a write-ahead log is made anew. */
const PARTS = ['', '-journal', '-wal'] as const
/** How long a database is waited for that is being written, in milliseconds. */
const PATIENCE_MS = 5_000
const PAUSE_MS = 20
/** A file that was written so short a time ago may be written again without a newer time, in milliseconds. */
const TICK_MS = 20

/**
 * The last whole state of a database, in memory; the file and all that lies beside it stay as they are.
 *
 * Where that can be had by reading, SQLite reads, under its own locks. But where a program was killed in the
 * middle of a commit it first puts the state before that back, and to read a write-ahead log it makes files and
 * takes them away: then it does so to a copy in a private folder, which is removed again.
 * @throws LedgerError `ledger_locked` where it never stands still, `temp_unwritable`; what SQLite says of a file
 *   that is no database comes as it is
 */
export function openSnapshot(path: string): Promise<Database.Database> {
  return untilStill(path, (file) => readInPlace(file, intoMemory) ?? readCopy(file, path))
}

/**
 * Looks at the last whole state of a database, and leaves the file and all that lies beside it as they are. Where SQLite
 * can read it in place, nothing of it is held in memory; nobody else of this process is let in between.
 * @throws what openSnapshot throws, and what the look throws
 */
export async function lookAt<T extends object>(
  path: string,
  look: (sqlite: Database.Database) => T,
): Promise<T> {
  return untilStill(path, (file) => {
    const copy = (sqlite: Database.Database | undefined) => sqlite && closing(sqlite, look)
    return readInPlace(file, look) ?? copy(readCopy(file, path))
  })
}

async function untilStill<T>(path: string, attempt: (file: string) => T | undefined): Promise<T> {
  // SQLite puts its files beside the one that a link leads to.
  const file = realpathSync(path)
  for (const until = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
    const found = attempt(file)
    if (found !== undefined) return found
    if (Date.now() > until) throw lockedLedger(path)
  }
}

/** Undefined where SQLite could not read without writing. */
function readInPlace<T>(file: string, read: (sqlite: Database.Database) => T): T | undefined {
  if (isWriteAhead(file)) return undefined
  try {
    return closing(beginReading(file, { readonly: true }), read)
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_READONLY_'))
      return undefined
    throw error
  }
}

function closing<T>(sqlite: Database.Database, read: (sqlite: Database.Database) => T): T {
  try {
    return read(sqlite)
  } finally {
    sqlite.close()
  }
}

/** Undefined where the files have moved while they were copied. */
function readCopy(file: string, path: string): Database.Database | undefined {
  const parts = readParts(file)
  if (!parts) return undefined
  let folder: string | undefined
  try {
    folder = mkdtempSync(join(tmpdir(), 'class-keys-'))
    for (const { suffix, bytes } of parts) {
      // Secrets are in it.
      writeFileSync(join(folder, `copy${suffix}`), bytes, { mode: 0o600, flag: 'wx' })
    }
    return closing(beginReading(join(folder, 'copy')), intoMemory)
  } catch (error) {
    const told = asLedgerError(error, path)
    const { code } = error as NodeJS.ErrnoException
    if (code?.startsWith('SQLITE_') || !(told instanceof LedgerError)) throw error
    const message = `${path} was left in the middle of a change, and cannot be copied to ${tmpdir()} to look at it (${code}). Make room there, or name another folder in TMPDIR.`
    throw new LedgerError('temp_unwritable', message, 1, { cause: error })
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

/** The files of one moment; undefined where there was none such. */
function readParts(file: string): { suffix: string; bytes: Buffer }[] | undefined {
  const before = stateOf(file)
  const parts = PARTS.flatMap((suffix) => {
    const bytes = readIfThere(file + suffix)
    return bytes ? [{ suffix, bytes }] : []
  })
  const after = stateOf(file)
  return before.state === after.state && !after.isFresh ? parts : undefined
}

function stateOf(file: string): { state: string; isFresh: boolean } {
  const stats = PARTS.map((suffix) => statSync(file + suffix, { bigint: true, throwIfNoEntry: false }))
  const now = Date.now()
  return {
    state: stats.map((stat) => stat && [stat.ino, stat.size, stat.mtimeNs].join()).join(' '),
    isFresh: stats.some((stat) => stat && Math.abs(now - Number(stat.mtimeMs)) < TICK_MS),
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A connection that has taken its lock: only with the first reading does SQLite put a broken state right, too. */
function beginReading(file: string, { readonly = false } = {}): Database.Database {
  const sqlite = new Database(file, { fileMustExist: true, readonly, timeout: PATIENCE_MS })
  try {
    sqlite.exec('BEGIN')
    sqlite.prepare('SELECT count(*) FROM sqlite_master').get()
    return sqlite
  } catch (error) {
    sqlite.close()
    throw error
  }
}

function intoMemory(sqlite: Database.Database): Database.Database {
  const bytes = sqlite.serialize()
  // The format bytes of a write-ahead log, which a database in memory cannot have.
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
