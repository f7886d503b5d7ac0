import { closeSync, openSync, realpathSync } from 'node:fs'
import Database from 'better-sqlite3'
import { ClassKeysError } from '../lib/core/errors.js'
import { localTime } from '../lib/core/times.js'
import { asLedgerError, LedgerError } from './errors.js'

/** Held by the one run that may change OpenRouter on behalf of a ledger. */
export interface RunLock {
  release(): void
}

/**
 * Takes the right to change OpenRouter on behalf of a ledger, without waiting. It is a lock of the operating
 * system on a small database beside the ledger, and so ends with its process however that ends: nothing has
 * to be cleaned up after a crash, and no process number has to be trusted.
 * @param command what the run does, for the message that another run gets
 * @throws ClassKeysError `run_under_way` where another run holds it, with its start in local time; LedgerError
 *   `lock_not_ours` where something else lies in its place, and others where it cannot be written
 */
export function takeRunLock(ledger: string, command: string, now: Date): RunLock {
  let path = `${ledger}-lock`
  let sqlite: Database.Database | undefined
  try {
    // Two names of one file are one ledger.
    path = `${realpathSync(ledger)}-lock`
    closeSync(openSync(path, 'a', 0o600))
    sqlite = new Database(path, { timeout: 0 })
    const lock = sqlite
    sqlite.exec(
      'CREATE TABLE IF NOT EXISTS run (command TEXT NOT NULL, pid INTEGER NOT NULL, started_at TEXT NOT NULL)',
    )
    sqlite.transaction(() => {
      lock.exec('DELETE FROM run')
      lock.prepare('INSERT INTO run VALUES (?, ?, ?)').run(command, process.pid, now.toISOString())
    })()
    sqlite.exec('BEGIN IMMEDIATE')
    return { release: () => lock.close() }
  } catch (error) {
    const holder = isBusy(error) ? holderOf(sqlite) : undefined
    sqlite?.close()
    if (!isBusy(error)) throw lockError(error, path, ledger)
    const who = holder
      ? `class-keys ${holder.command} (process ${holder.pid}) has been at work since ${localTime(new Date(holder.started_at))}`
      : 'another run of class-keys has just started'
    throw new ClassKeysError('run_under_way', `${ledger} is in use: ${who}. Wait until it has ended.`)
  }
}

/** What SQLite or the system says of the lock, in words that do not call it the ledger. */
function lockError(error: unknown, path: string, ledger: string): unknown {
  const subject = `${path}, the lock that keeps two runs on ${ledger} apart,`
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'SQLITE_NOTADB' && code !== 'SQLITE_CORRUPT' && code !== 'EISDIR')
    return asLedgerError(error, path, subject)
  const message = `${subject} is none. Move it away, then run the same command again.`
  return new LedgerError('lock_not_ours', message, 1, { cause: error })
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('SQLITE_BUSY')
}

function holderOf(sqlite: Database.Database | undefined) {
  try {
    return sqlite
      ?.prepare<[], { command: string; pid: number; started_at: string }>('SELECT * FROM run')
      .get()
  } catch {
    // The holder is writing its name at this very moment.
    return undefined
  }
}
