import { ClassKeysError } from '../lib/core/errors.js'

/** The ledger could not be read or written, or is not one. */
export class LedgerError extends ClassKeysError {
  override readonly name = 'LedgerError'
}

/**
 * Turns what SQLite says into a sentence for a person; what is not from SQLite comes back as it is. Of the
 * error only SQLite's own part is kept: what wraps it may hold the values of the statement, and so a secret.
 * @param path the ledger's path as the person gave it
 * @param subject what the sentence is about, where that is not the ledger itself
 */
export function asLedgerError(error: unknown, path: string, subject = `The ledger ${path}`): unknown {
  const sqlite = codedErrorIn(error)
  if (error instanceof ClassKeysError || !sqlite) return error
  const name = FILE_ERRORS[sqlite.code] ?? sqlite.code
  const said = MESSAGES.find(([prefix]) => name.startsWith(prefix))
  if (said)
    return new LedgerError(said[1], said[2](subject, path), said[1] === 'ledger_not_ours' ? 2 : 1, {
      cause: sqlite,
    })
  const message = `${subject} could not be read or written (${sqlite.code}: ${sqlite.message}).`
  return new LedgerError('ledger_failed', message, 1, { cause: sqlite })
}

function codedErrorIn(error: unknown): (Error & { code: string }) | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : ''
    if (code.startsWith('SQLITE_') || code in FILE_ERRORS) return cause as Error & { code: string }
  }
  return undefined
}

/** The system's own errors, by the name that SQLite has for them, so that both are said in the same words. */
const FILE_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'SQLITE_CANTOPEN',
  EPERM: 'SQLITE_CANTOPEN',
  ENOENT: 'SQLITE_CANTOPEN',
  ENOTDIR: 'SQLITE_CANTOPEN',
  EISDIR: 'SQLITE_CANTOPEN',
  EROFS: 'SQLITE_READONLY',
  ENOSPC: 'SQLITE_FULL',
  EDQUOT: 'SQLITE_FULL',
}

const LOCKED = 'ledger_locked'

/** What is said of a ledger that another program does not leave alone for long enough. */
export function lockedLedger(path: string): LedgerError {
  return new LedgerError(LOCKED, lockedMessage(`The ledger ${path}`))
}

function lockedMessage(subject: string): string {
  return `${subject} is locked by another program. Close whatever has it open, then run the same command again.`
}

const MESSAGES: readonly [
  prefix: string,
  code: string,
  message: (subject: string, path: string) => string,
][] = [
  ['SQLITE_NOTADB', 'ledger_not_ours', (_, path) => notADatabase(path)],
  ['SQLITE_BUSY', LOCKED, lockedMessage],
  [
    'SQLITE_FULL',
    'disk_full',
    (subject) =>
      `${subject} cannot be written: the disk is full. Make room, then run the same command again.`,
  ],
  [
    'SQLITE_READONLY',
    'ledger_unwritable',
    (subject) =>
      `${subject} or its folder is read-only. Make both writable, then run the same command again.`,
  ],
  [
    'SQLITE_CANTOPEN',
    'ledger_unwritable',
    (subject) => `${subject} cannot be opened. Check that you may read and write it and its folder.`,
  ],
  [
    'SQLITE_IOERR',
    'ledger_unwritable',
    (subject) => `${subject} cannot be read or written: the disk reports an error. Is it full, or gone?`,
  ],
  [
    'SQLITE_CORRUPT',
    'ledger_damaged',
    (subject) =>
      `${subject} is damaged. Put a backup in its place, or move it away and run class-keys init-db.`,
  ],
]

/** What is said of a file that is no database at all. */
export function notADatabase(path: string): string {
  return `${path} is not a ledger: it is not an SQLite database. Name another file with --db, or move this one away and run class-keys init-db.`
}
