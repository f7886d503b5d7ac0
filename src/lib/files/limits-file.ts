import { BadFileError, UsageError } from '../core/errors.js'
import { LIMITS_COLUMNS, readTargets, type Target } from '../core/limits.js'
import { limitText, resetText } from '../core/money.js'
import type { LimitsRow } from '../core/next-limits.js'
import { csvText, parseCsv } from './csv.js'
import { notAFile } from './kind.js'
import { replaceFile } from './safe-write.js'
import { readText, readTextIfThere } from './text.js'

/** limits.csv as it was read: what it asks for, and what follows from its problems. */
export interface LimitsFile {
  path: string
  targets: Target[]
  /** What is said beside the problems of the file: what was not done because of them. */
  consequence: string
}

/** Nothing has been changed yet: the file can be mended, and the same command run again. */
const NOTHING_DONE = 'Nothing was changed, and the file is as it was. Mend it and run the same command again.'
/** The run has changed something already, and only the file is left to be written. */
const NOT_WRITTEN = 'It is left as it is. Mend it, then run class-keys refresh-limits-file.'

const WHAT = 'limits file'

/**
 * Reads what the instructor asks for.
 * @throws UsageError `limits_missing`, `file_unreadable`; BadFileError with every cell that cannot be read
 */
export async function loadLimits(path: string): Promise<LimitsFile> {
  try {
    await expectLimitsFile(path)
    return understood(path, await readText(path, WHAT), NOTHING_DONE)
  } catch (error) {
    if (!(error instanceof UsageError && error.code === 'file_missing')) throw error
    throw new UsageError('limits_missing', `${error.message} class-keys refresh-limits-file makes one.`)
  }
}

/**
 * Reads what the instructor asks for, which is nothing where there is no file.
 * @param options whether the run has changed something already
 * @throws UsageError `file_unreadable`; BadFileError with every cell that cannot be read
 */
export async function loadLimitsIfThere(path: string, { atWork = false } = {}): Promise<LimitsFile> {
  await expectLimitsFile(path)
  const text = await readTextIfThere(path, WHAT)
  const consequence = atWork ? NOT_WRITTEN : NOTHING_DONE
  if (text === undefined || text.trim() === '') return { path, targets: [], consequence }
  return understood(path, text, consequence)
}

/** The file will be written anew when all is done: what cannot be is better known before anything is. */
async function expectLimitsFile(path: string): Promise<void> {
  const kind = await notAFile(path)
  if (kind !== undefined) throw new UsageError('file_unreadable', `${path} is ${kind}, not a ${WHAT}.`)
}

function understood(path: string, text: string, consequence: string): LimitsFile {
  const { targets, problems } = readTargets(parseCsv(text))
  if (problems.length > 0) throw new BadFileError(path, problems, consequence)
  return { path, targets, consequence }
}

/**
 * Writes limits.csv anew, the old file whole until the new one is.
 * @throws ClassKeysError `file_unwritable`
 */
export async function saveLimits(path: string, rows: readonly LimitsRow[]): Promise<void> {
  const extra = [...new Set(rows.flatMap((row) => [...row.extra.keys()]))]
  const cells = rows.map((row) => [
    row.email,
    row.name,
    row.mqId,
    row.targetLimit,
    row.actual ? limitText(row.actual.limit) : '',
    row.targetDisabled,
    row.actual ? String(row.actual.disabled) : '',
    row.keyName,
    row.hash,
    row.targetLimitReset,
    row.actual ? resetText(row.actual.limitReset) : '',
    ...extra.map((title) => row.extra.get(title) ?? ''),
  ])
  await replaceFile(path, csvText([...LIMITS_COLUMNS, ...extra], cells))
}
