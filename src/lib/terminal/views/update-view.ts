import { formatLimit, resetText } from '../../core/money.js'
import type { RefreshResult, UpdateResult } from '../../core/results.js'
import type { UpdateKey, UpdatePlan } from '../../core/update-plan.js'
import { count } from '../../core/words.js'
import { type Column, tableLines } from '../table.js'
import { troubles } from './provision-view.js'

const CHANGES: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'NAME', flexible: true },
  { title: 'LIMIT' },
  { title: 'RESET' },
  { title: 'DISABLED' },
]
const RESET = CHANGES.findIndex(({ title }) => title === 'RESET')

/** The plan of `update`, as `--dry-run` shows it; see tableLines for `width`. */
export function updatePlanView(plan: UpdatePlan, width: number | undefined): string[] {
  return [
    ...changeTable(plan.changes, width),
    ...unmatchedLines(plan),
    `${count(plan.changes.length, 'key')} would be changed; ${plan.unchanged} as asked for already.`,
    'This was a dry run: nothing was sent, and nothing was written.',
  ]
}

/** What `update` shows when it has ended. */
export function updateView(result: UpdateResult, width: number | undefined): string[] {
  const { counts } = result
  const updated = new Set(result.students.filter((s) => s.outcome === 'updated').map((s) => s.hash))
  return [
    ...changeTable(
      result.plan.changes.filter((change) => updated.has(change.hash)),
      width,
    ),
    ...unmatchedLines(result.plan),
    `Updated: ${counts.updated ?? 0}`,
    `As asked for already: ${result.plan.unchanged}`,
    ...(counts.failed ? [`Failed: ${counts.failed}`] : []),
    ...(counts['in doubt'] ? [`In doubt: ${counts['in doubt']}`] : []),
    ...(counts['not tried'] ? [`Not tried: ${counts['not tried']}`] : []),
    ...troubles(result.students),
    ...(result.files.limits ? [`Limits: ${result.files.limits}`] : []),
    ...(result.files.snapshot ? [`Snapshot: ${result.files.snapshot}`] : []),
  ]
}

/** What `refresh-limits-file` shows: where the file and OpenRouter differ. */
export function refreshView(result: RefreshResult, width: number | undefined): string[] {
  const { changes } = result.plan
  return [
    `Limits: ${result.files.limits} (${count(result.rows, 'key')})`,
    ...unmatchedLines(result.plan),
    ...(changes.length === 0
      ? ['OpenRouter is as the file asks.']
      : [
          '',
          `${count(changes.length, 'key')} not as the file asks:`,
          ...changeTable(changes, width),
          'class-keys update brings OpenRouter to it; class-keys update --dry-run shows how.',
        ]),
  ]
}

function changeTable(changes: readonly UpdateKey[], width: number | undefined): string[] {
  if (changes.length === 0) return []
  const rows = changes.map(({ email, name, limit, disabled, limitReset }) => [
    email,
    name,
    limit ? `${formatLimit(limit.from)} → ${formatLimit(limit.to)}` : '',
    limitReset ? `${resetText(limitReset.from)} → ${resetText(limitReset.to)}` : '',
    disabled ? `${disabled.from} → ${disabled.to}` : '',
  ])
  // Few classes have a reset period at all: no column for what nobody has asked for.
  const shown = <Cell>(cells: readonly Cell[]) =>
    cells.filter((_, i) => i !== RESET || changes.some(({ limitReset }) => limitReset))
  return [...tableLines(shown(CHANGES), rows.map(shown), width), '']
}

function unmatchedLines(plan: UpdatePlan): string[] {
  return plan.unmatched.map(
    ({ line, email, hash, why }) =>
      `Warning: line ${line} (${email || hash}): ${why}. The row is left as it is.`,
  )
}
