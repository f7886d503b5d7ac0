import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { UsageError } from '../lib/core/errors.js'
import { type Connection, connect, wrap } from './connection.js'
import { asLedgerError, LedgerError } from './errors.js'
import { inspectCopy, inspectLedger, ledgerExists } from './inspect.js'
import { Ledger } from './ledger.js'
import { bringUpToDate } from './migrate.js'

export { expectLedger } from './inspect.js'

/** Nobody but the owner reads the ledger: it holds the secrets of the keys. */
const PRIVATE = 0o600

/** What createLedger has found and done. */
export type LedgerInit = 'created' | 'adopted' | 'already there'

/**
 * Creates a ledger, whole or not at all: it is made beside the place where it belongs, and then put there. One
 * that is there already is brought up to date.
 * @returns `adopted` where the one that is there is the Python tool's, and had no tables of ours yet
 * @throws UsageError `bad_ledger_path`; LedgerError where the file is not a ledger of schema v2, or cannot be written
 */
export async function createLedger(path: string): Promise<LedgerInit> {
  if (ledgerExists(path)) return bringIn(path)
  expectPlace(path)
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
    putInPlace(draft, path)
    return 'created'
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && ledgerExists(path)) return bringIn(path)
    throw asLedgerError(error, path)
  } finally {
    discard(draft)
  }
}

/** What a disk says that has no hard links: a memory stick, some network drives. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/** Gives a finished ledger its name, and never takes the place of a file that has come there meanwhile. */
function putInPlace(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!NO_LINKS.includes((error as NodeJS.ErrnoException).code)) throw error
    // The name is taken by an empty file first, which the ledger then replaces.
    closeSync(openSync(path, 'wx', PRIVATE))
    renameSync(draft, path)
  }
}

async function bringIn(path: string): Promise<LedgerInit> {
  const isNew = (await inspectLedger(path)).length === 0
  const ledger = await openLedger(path)
  await ledger.close()
  return isNew ? 'adopted' : 'already there'
}

/** Refuses a path at which no file can be made. */
function expectPlace(path: string): void {
  const wrong = wrongPlace(path)
  if (wrong) throw new UsageError('bad_ledger_path', `${wrong}, or name another file with --db.`)
}

function wrongPlace(path: string): string | undefined {
  const folder = dirname(path)
  if (!existsSync(folder)) return `There is no folder ${folder} to make the ledger in. Make it`
  if (!statSync(folder).isDirectory())
    return `${folder} is a file, and no folder to make the ledger in. Move it away`
  const link = lstatSync(path, { throwIfNoEntry: false })
  return link && `${path} is a link that leads nowhere. Delete it`
}

/** What has gone wrong before is what counts. */
function discard(draft: string): void {
  try {
    rmSync(draft, { force: true })
  } catch {}
}

/**
 * Opens a ledger and brings it up to date; one of the Python tool is adopted.
 * @param copy works on a copy in memory, for commands that must not write anything
 * @throws UsageError `ledger_missing`; LedgerError where the file is not a ledger, or cannot be read or written
 */
export async function openLedger(path: string, { copy = false } = {}): Promise<Ledger> {
  const { snapshot, done } = copy ? await inspectCopy(path) : { done: await inspectLedger(path) }
  let connection: Connection | undefined
  try {
    if (!snapshot) makePrivate(path)
    connection = snapshot ? wrap(snapshot) : connect(path)
    bringUpToDate(connection, done, path)
    return new Ledger(connection, path)
  } catch (error) {
    connection?.sqlite.close()
    // Another command has brought the ledger up to date at the same moment: then it is as it should be.
    if ((await inspectLedger(path)).length > done.length) return openLedger(path, { copy })
    throw asLedgerError(error, path)
  }
}

/** Refuses a ledger that others can read, and that cannot be closed to them: it holds the secrets. */
function makePrivate(path: string): void {
  try {
    chmodSync(path, PRIVATE)
  } catch (error) {
    const { mode, uid } = statSync(path)
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
    if ((mode & 0o077) === 0) return
    const [why, advice] =
      uid === process.getuid?.()
        ? ['its disk does not let it', 'Move it to a folder on another disk.']
        : ['it belongs to another user', 'Run the same command as that user, or have the file given to you.']
    const message = `The ledger ${path} holds the secrets and can be read by others, and cannot be made private: ${why}. ${advice}`
    throw new LedgerError('ledger_not_private', message, 1, { cause: error })
  }
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
