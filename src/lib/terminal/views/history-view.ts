import type { HistoryLine } from '../../core/results.js'
import { localTime } from '../../core/times.js'
import { keyWords, timeOf } from './plan-lines.js'

/** What `history` shows: a sentence a change with its local time, the newest first. */
export function historyView(entries: readonly HistoryLine[]): string[] {
  if (entries.length === 0) return ['No changes match.']
  return entries.map((entry) => {
    const { name, email, keyName, hash, sentence } = entry
    const key = hash === null ? 'a key that is not in the ledger' : keyWords({ keyName, hash })
    const who = name ? `${name} (${email})` : key
    const when = timeOf(entry, (at) => localTime(new Date(at)))
    return `${when}  ${who}: ${sentence}`
  })
}
