import type { HistoryLine } from '../../core/results.js'

/** What `history` shows: a sentence a change with its local time, the newest first. */
export function historyView(entries: readonly HistoryLine[]): string[] {
  if (entries.length === 0) return ['No change fits.']
  return entries.map(({ at, name, email, keyName, sentence }) => {
    const who = name ? `${name} (${email})` : (keyName ?? 'a key that is not in the ledger')
    return `${new Date(at).toLocaleString('sv-SE')}  ${who}: ${sentence}`
  })
}
