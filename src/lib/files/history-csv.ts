import type { HistoryLine } from '../core/results.js'
import { csvText } from './csv.js'

const COLUMNS = [
  'changed_at',
  'email',
  'name',
  'mq_id',
  'action',
  'old_value',
  'new_value',
  'key_name',
  'hash',
]

/** The changelog as CSV, times in UTC, and what is no time as the ledger has it. */
export function historyCsv(entries: readonly HistoryLine[]): string {
  const cells = entries.map((e) => [
    e.at ?? e.unreadableAt ?? '',
    e.email ?? '',
    e.name ?? '',
    e.mqId ?? '',
    e.action,
    e.oldValue ?? '',
    e.newValue ?? '',
    e.keyName ?? '',
    e.hash ?? '',
  ])
  return csvText(COLUMNS, cells)
}
