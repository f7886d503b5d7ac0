import { BadFileError, UsageError } from '../core/errors.js'
import { LIMITS_COLUMNS, type LimitsRow, readTargets, type Target } from '../core/limits.js'
import { limitText, resetText } from '../core/money.js'
import { csvText, parseCsv } from './csv.js'
import { notAFile } from './kind.js'
import { replaceFile } from './safe-write.js'
import { readText, readTextIfThere } from './text.js'

const WHAT = 'limits file'

/**
 * Reads what the instructor asks for.
 * @throws UsageError `limits_missing`, `file_unreadable`; BadFileError with every cell that cannot be read
 */
export async function loadTargets(path: string): Promise<Target[]> {
  try {
    await expectLimitsFile(path)
    return understood(path, await readText(path, WHAT))
  } catch (error) {
    if (!(error instanceof UsageError && error.code === 'file_missing')) throw error
    throw new UsageError('limits_missing', `${error.message} class-keys refresh-limits-file makes one.`)
  }
}

/**
 * Reads what the instructor asks for, which is nothing where there is no file.
 * @throws UsageError `file_unreadable`; BadFileError with every cell that cannot be read
 */
export async function loadTargetsIfThere(path: string): Promise<Target[]> {
  await expectLimitsFile(path)
  const text = await readTextIfThere(path, WHAT)
  return text === undefined || text.trim() === '' ? [] : understood(path, text)
}

/** The file will be written anew when all is done: what cannot be is better known before anything is. */
async function expectLimitsFile(path: string): Promise<void> {
  const kind = await notAFile(path)
  if (kind !== undefined) throw new UsageError('file_unreadable', `${path} is ${kind}, not a ${WHAT}.`)
}

function understood(path: string, text: string): Target[] {
  const { targets, problems } = readTargets(parseCsv(text))
  if (problems.length > 0) {
    throw new BadFileError(
      path,
      problems,
      'Nothing was changed, and the file is as it was. Mend it and run the same command again.',
    )
  }
  return targets
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
