import { randomBytes } from 'node:crypto'
import { chmod, link, open, readdir, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join, parse } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClassKeysError, UsageError } from '../core/errors.js'
import { notAFile } from './kind.js'
import { isHeldOpen, unwritableWords } from './unwritable.js'

/** How the files end that are not finished; .gitignore knows it too. */
const DRAFT = '.class-keys-draft'
const IS_DRAFT = /^\..*\.(\d+)\.[0-9a-f]{12}\.class-keys-draft$/
/** Who may read a file with secrets: its owner alone. */
export const PRIVATE = 0o600
/** What a file without secrets is given before the umask. */
const ORDINARY = 0o644

/**
 * Refuses a path at which there is something else than a file: it would be gone, and a file in its place.
 * @throws UsageError `file_unwritable`
 */
export async function expectReplaceable(path: string): Promise<void> {
  const kind = await notAFile(path)
  if (kind === undefined) return
  throw new UsageError(
    'file_unwritable',
    `${path} is ${kind}, and is not replaced by a file. Name another path.`,
  )
}

/**
 * Puts a new content in the place of a file at once: whoever reads it sees the old one or the new one, whole.
 * @param mode who may read it; without it, the permissions of the old file stay
 * @throws ClassKeysError `file_unwritable`; UsageError of that code where something else than a file is there
 */
export async function replaceFile(path: string, text: string, mode?: number): Promise<void> {
  await expectReplaceable(path)
  await writing(path, async () => {
    // A link into a synchronised folder stays one: what it points to is replaced.
    const target = await realpath(path).catch(() => path)
    const old = await stat(target).then(
      (file) => file.mode & 0o777,
      () => undefined,
    )
    const draft = await writeDraft(target, text, mode ?? old ?? ORDINARY)
    // The umask has taken from a shared file what its owner had given to others.
    if (mode === undefined && old !== undefined) await chmod(draft, old)
    await renameOver(draft, target).catch((error) => discard(draft, error))
    await syncFolder(target)
  })
}

/** How often a file is tried again that another program has open, and how long it is waited each time, in milliseconds. */
const TRIES = 10
const PAUSE_MS = 100

/** Gives a draft the name of a file that it replaces. A virus scanner lets go of a file soon, a spreadsheet does not. */
async function renameOver(draft: string, target: string): Promise<void> {
  for (let n = 1; ; n++) {
    try {
      await rename(draft, target)
      return
    } catch (error) {
      if (n === TRIES || !isHeldOpen((error as NodeJS.ErrnoException).code, process.platform)) throw error
    }
    await sleep(PAUSE_MS)
  }
}

/**
 * Writes a file that is not there yet; where the name is taken, `-2`, `-3`, … goes before its ending.
 * @returns the path that was written
 * @throws ClassKeysError `file_unwritable`
 */
export async function createFile(path: string, text: string, mode = ORDINARY): Promise<string> {
  return writing(path, async () => {
    const draft = await writeDraft(path, text, mode)
    const { dir, name, ext } = parse(path)
    for (let n = 1; ; n++) {
      const free = n === 1 ? path : join(dir, `${name}-${n}${ext}`)
      if (!(await claim(draft, free))) continue
      await syncFolder(path)
      return free
    }
  })
}

/** What a disk says that has no hard links: a memory stick, some network drives. */
const NO_LINKS: readonly unknown[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']

/** Gives a finished draft its name, unless the name is taken; false where it is. */
async function claim(draft: string, name: string): Promise<boolean> {
  try {
    // A link, unlike a rename, fails where the name is taken.
    await link(draft, name)
    await unlink(draft)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    return NO_LINKS.includes(code) ? reserve(draft, name) : discard(draft, error)
  }
}

/** The same without links: the name is taken by an empty file first, which the draft then replaces. */
async function reserve(draft: string, name: string): Promise<boolean> {
  try {
    await (await open(name, 'wx', PRIVATE)).close()
    await rename(draft, name)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EEXIST' ? false : discard(draft, error)
  }
}

/**
 * Finds out whether a folder takes files and the disk has room, by writing one into it and taking it away again; and
 * takes away the drafts of runs that were killed, which may hold secrets.
 * @param room how much is going to be written, in bytes
 * @throws ClassKeysError `file_unwritable`
 */
export async function prepareFolder(folder: string, room: number): Promise<void> {
  const path = join(folder, 'class-keys-probe')
  await writing(path, async () => {
    await unlink(await writeDraft(path, 'x'.repeat(room), PRIVATE))
    for (const name of await readdir(folder)) {
      const pid = IS_DRAFT.exec(name)?.[1]
      if (pid !== undefined && !isRunning(Number(pid))) await unlink(join(folder, name)).catch(() => {})
    }
  })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A file beside the one that is meant, complete and on the disk, with its permissions from the first byte. */
async function writeDraft(path: string, text: string, mode: number): Promise<string> {
  const draft = join(
    dirname(path),
    `.${basename(path)}.${process.pid}.${randomBytes(6).toString('hex')}${DRAFT}`,
  )
  const file = await open(draft, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await discard(draft, error)
  } finally {
    await file.close()
  }
  return draft
}

async function discard(draft: string, error: unknown): Promise<never> {
  await unlink(draft).catch(() => {})
  throw error
}

/** Makes a new name in a folder survive a power cut; a system that cannot do that to folders does it by itself. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path)).catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
}

async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const folder = dirname(path)
    const beside = await readdir(folder).catch(() => [])
    const words = unwritableWords({ name: basename(path), folder, code, beside }, process.platform)
    throw new ClassKeysError('file_unwritable', words, 1, { cause: error })
  }
}
