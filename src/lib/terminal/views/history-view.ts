import type { HistoryLine } from '../../core/results.js'
import { timeOf } from './plan-lines.js'

/** What `history` shows: a sentence a change with its local time, the newest first. */
export function historyView(entries: readonly HistoryLine[]): string[] {
  if (entries.length === 0) return ['No change fits.']
  return entries.map((entry) => {
    const { name, email, keyName, sentence } = entry
    const who = name ? `${name} (${email})` : (keyName ?? 'a key that is not in the ledger')
    const when = timeOf(entry, (at) => new Date(at).toLocaleString('sv-SE'))
    return `${when}  ${who}: ${sentence}`
  })
}
