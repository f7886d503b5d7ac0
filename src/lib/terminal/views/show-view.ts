import { formatLimit, formatUsd } from '../../core/money.js'
import type { ShownKey, ShowResult } from '../../core/results.js'
import { count } from '../../core/words.js'
import { chart } from '../chart.js'
import { keyWords, localMinute as local, timeOf } from './plan-lines.js'

const CHART_WIDTH = 50
/** So many lines of history fit on the screen; `history` has the rest. */
const RECENT = 10

/** What `show` shows of one student, on one screen. */
export function showView({ student, keys, history }: ShowResult): string[] {
  const recent = history.slice(0, RECENT)
  return [
    `${student.name}  ${student.email}  MQ ID ${student.mqId}`,
    ...(keys.length === 0
      ? ['', 'No key. class-keys provision makes one for everybody on the roster who has none.']
      : []),
    ...keys.flatMap((key) => ['', ...keyLines(key)]),
    '',
    ...(recent.length === 0 ? ['No history yet.'] : ['History']),
    ...recent.map((entry) => `  ${timeOf(entry, local)}  ${entry.sentence}`),
    ...(history.length > RECENT
      ? [`  … ${count(history.length - RECENT, 'earlier change')}: class-keys history ${student.mqId}`]
      : []),
  ]
}

function keyLines(key: ShownKey): string[] {
  const secret = key.secretHere
    ? 'in this ledger; --reveal shows it'
    : 'not in this ledger, since the key was made elsewhere'
  if (!key.exists) return [keyWords(key), '  is gone from OpenRouter', ...usageLines(key)]
  return [
    `${keyWords(key)}${key.disabled ? '  disabled' : ''}`,
    `  limit   ${formatLimit(key.limit)}${key.limitReset ? ` ${key.limitReset}` : ''}`,
    `  left    ${leftWords(key)}`,
    `  spent   ${formatUsd(key.usage ?? 0)} in all`,
    ...(key.expiresAt ? [`  ${key.expired ? 'expired' : 'expires'} ${local(key.expiresAt)}`] : []),
    `  secret  ${secret}`,
    ...usageLines(key),
  ]
}

function leftWords({ expired, limitRemaining, refillsAt }: ShownKey): string {
  if (expired) return 'nothing can be spent any more: the key has expired'
  return `${formatLimit(limitRemaining)}${refillsAt ? `, refills ${local(refillsAt)}` : ''}`
}

function usageLines({ usageOverTime }: ShownKey): string[] {
  const [first] = usageOverTime
  const last = usageOverTime.at(-1)
  if (!first || !last) return []
  const bars = chart(
    usageOverTime.map((point) => point.usage),
    CHART_WIDTH,
  )
  const span = `${formatUsd(first.usage)} on ${local(first.at)} to ${formatUsd(last.usage)} on ${local(last.at)}`
  return [`  usage   ${bars}`, `          ${count(usageOverTime.length, 'check')}: ${span}`]
}
