import { isExpired, type Key, percentSpent } from './key.js'
import { isRenamed } from './matching.js'
import { isPlaceholder, type Person } from './student.js'

/** What the status of a key depends on beside the key itself. */
export interface StatusContext {
  now: Date
  /** How many keys that work the student has. */
  enabledKeys: number
  /** Whether it has not got the guardrail that it was made for. */
  unguarded: boolean
  /** Percent of the limit from which on a key is worth a look; undefined for none. */
  warnAt: number | undefined
}

/** What stands in the status column of `check`: everything that deserves a look, or `OK`. */
export function keyStatus(
  student: Person,
  key: Key,
  { now, enabledKeys, unguarded, warnAt }: StatusContext,
): string {
  const overLimit = key.limitRemaining !== null && key.limitRemaining <= 0
  const remarks = [
    isPlaceholder(student.email) && 'FIX EMAIL',
    isRenamed({ student, key }) && 'renamed',
    unguarded && 'no guardrail',
    key.disabled && 'disabled',
    isExpired(key, now) && 'expired',
    overLimit && 'over limit',
    !overLimit && isPastMark(key, warnAt) && `${Math.floor(percentSpent(key) ?? 0)}% spent`,
    enabledKeys > 1 && !key.disabled && !isExpired(key, now) && `${enabledKeys} keys`,
  ].filter((remark) => remark !== false)
  return remarks.length === 0 ? 'OK' : remarks.join(', ')
}

/**
 * Whether a key has spent as much of its limit in this period as the mark says, in percent. A limit of nothing is meant:
 * whoever has it is not warned of every night.
 */
export function isPastMark(key: Key, warnAt: number | undefined): boolean {
  const percent = key.limit === 0 ? undefined : percentSpent(key)
  return warnAt !== undefined && percent !== undefined && percent >= warnAt
}
