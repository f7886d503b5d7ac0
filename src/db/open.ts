import { chmodSync, closeSync, linkSync, openSync, realpathSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type Connection, connect, wrap } from './connection.js'
import { asLedgerError } from './errors.js'
import { inspectLedger, ledgerExists } from './inspect.js'
import { Ledger } from './ledger.js'
import { bringUpToDate } from './migrate.js'

/** Nobody but the owner reads the ledger: it holds the secrets of the keys. */
const PRIVATE = 0o600

/**
 * Creates a ledger, whole or not at all: it is made beside the place where it belongs, and then put there.
 * @returns false where there is one already, which is then brought up to date
 * @throws LedgerError where the file is not a ledger of schema v2, or cannot be written
 */
export async function createLedger(path: string): Promise<boolean> {
  if (ledgerExists(path)) {
    const ledger = await openLedger(path)
    await ledger.close()
    return false
  }
  const draft = `${path}.new-${process.pid}`
  try {
    rmSync(draft, { force: true })
    closeSync(openSync(draft, 'wx', PRIVATE))
    const connection = connect(draft)
    try {
      bringUpToDate(connection, [], path)
    } finally {
      connection.sqlite.close()
    }
    // A link, unlike a rename, never takes the place of a file that has come there meanwhile.
    linkSync(draft, path)
    return true
  } catch (error) {
    throw asLedgerError(error, path)
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * Opens a ledger and brings it up to date; one of the Python tool is adopted.
 * @param copy works on a copy in memory, for commands that must not write anything
 * @throws UsageError `ledger_missing`; LedgerError where the file is not a ledger, or cannot be read or written
 */
export async function openLedger(path: string, { copy = false } = {}): Promise<Ledger> {
  const { snapshot, done } = await inspectLedger(path)
  if (!copy) snapshot.close()
  let connection: Connection | undefined
  try {
    if (!copy) chmodSync(path, PRIVATE)
    connection = copy ? wrap(snapshot) : connect(path)
    bringUpToDate(connection, done, path)
    return new Ledger(connection, path)
  } catch (error) {
    connection?.sqlite.close()
    // Another command has brought the ledger up to date at the same moment: then it is as it should be.
    if ((await migrationsOf(path)) > done.length) return openLedger(path, { copy })
    throw asLedgerError(error, path)
  }
}

/** How many migrations a ledger has had. */
async function migrationsOf(path: string): Promise<number> {
  const { snapshot, done } = await inspectLedger(path)
  snapshot.close()
  return done.length
}

/** What SQLite and this tool put beside a ledger. */
const SIDE_FILES = ['-lock', '-journal', '-wal', '-shm']

/** Whether a path leads to a ledger or to one of its side files, by whatever name; neither has to be there. */
export function isPartOfLedger(path: string, ledger: string): boolean {
  const target = realPath(path)
  const main = realPath(ledger)
  return ['', ...SIDE_FILES].some((suffix) => isSameFile(target, main + suffix))
}

/** A path without links; where there is nothing yet, its folder's. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const folder = dirname(resolve(path))
    return join(folder === resolve(path) ? folder : realPath(folder), basename(path))
  }
}

function isSameFile(a: string, b: string): boolean {
  if (a === b) return true
  try {
    const [one, other] = [statSync(a, { bigint: true }), statSync(b, { bigint: true })]
    return one.ino === other.ino && one.dev === other.dev
  } catch {
    return false
  }
}
