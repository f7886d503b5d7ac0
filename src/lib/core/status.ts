import type { Key } from './key.js'
import { isPlaceholder, type Person } from './student.js'

/** What stands in the status column of `check`: everything that deserves a look, or `OK`. */
export function keyStatus(student: Person, key: Key, enabledKeys: number): string {
  const remarks = [
    isPlaceholder(student.email) && 'FIX EMAIL',
    key.disabled && 'disabled',
    key.limitRemaining !== null && key.limitRemaining <= 0 && 'over limit',
    enabledKeys > 1 && !key.disabled && `${enabledKeys} keys`,
  ].filter((remark) => remark !== false)
  return remarks.length === 0 ? 'OK' : remarks.join(', ')
}
