import type { UpdateKey } from '../../core/changes.js'
import { formatLimit, type LimitReset, resetText } from '../../core/money.js'
import type { RefreshResult, UpdateResult } from '../../core/results.js'
import type { UpdatePlan } from '../../core/update-plan.js'
import { count } from '../../core/words.js'
import { type Column, tableLines } from '../table.js'
import { DRY_RUN, driftLines, fileLines, outcomeLines, safetyLines } from './plan-lines.js'

const CHANGES: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'NAME', flexible: true },
  { title: 'LIMIT' },
  { title: 'RESET' },
  { title: 'DISABLED' },
]
const RESET = CHANGES.findIndex(({ title }) => title === 'RESET')

/** The plan of `update`; see tableLines for `width`. */
export function updatePlanView(
  plan: UpdatePlan,
  width: number | undefined,
  { dryRun }: { dryRun: boolean },
): string[] {
  return [
    ...changeTable(plan.changes, width),
    ...unmatchedLines(plan),
    `Plan: ${count(plan.changes.length, 'key')} to change; ${plan.unchanged} already as asked for.`,
    ...safetyLines(plan.safety),
    ...(dryRun ? [DRY_RUN] : ['']),
  ]
}

/** What `update` shows when it has ended. */
export function updateView(result: UpdateResult): string[] {
  const { counts } = result
  return [
    `Updated: ${counts.updated ?? 0}`,
    `Already as asked for: ${result.plan.unchanged}`,
    ...outcomeLines(result),
    ...fileLines(result.files),
  ]
}

/** What `refresh-limits-file` shows: where the file and OpenRouter differ. */
export function refreshView(result: RefreshResult, width: number | undefined): string[] {
  const { changes } = result.plan
  return [
    `Limits: ${result.files.limits} (${count(result.rows, 'key')})`,
    ...driftLines(result.drift),
    ...unmatchedLines(result.plan),
    ...(changes.length === 0
      ? ['OpenRouter agrees with the file.']
      : [
          '',
          `${count(changes.length, 'key is', 'keys are')} not as the file asks:`,
          ...changeTable(changes, width),
          'class-keys update makes OpenRouter agree; class-keys update --dry-run shows how.',
        ]),
  ]
}

function changeTable(changes: readonly UpdateKey[], width: number | undefined): string[] {
  if (changes.length === 0) return []
  const rows = changes.map(({ email, name, limit, disabled, limitReset, refills }) => [
    email,
    name,
    limit ? `${formatLimit(limit.from)} → ${formatLimit(limit.to)}${perPeriod(refills)}` : '',
    limitReset ? `${resetText(limitReset.from)} → ${resetText(limitReset.to)}` : '',
    disabled ? `${disabled.from} → ${disabled.to}` : '',
  ])
  // Few classes have a reset period at all: no column for what nobody has asked for.
  const shown = <Cell>(cells: readonly Cell[]) =>
    cells.filter((_, i) => i !== RESET || changes.some(({ limitReset }) => limitReset))
  return [...tableLines(shown(CHANGES), rows.map(shown), width), '']
}

/** A limit that refills is as much in each period: five dollars more of it may be a lot more in a term. */
function perPeriod(refills: LimitReset): string {
  return refills === null ? '' : ` ${refills}`
}

function unmatchedLines(plan: UpdatePlan): string[] {
  return plan.unmatched.map(
    ({ line, email, hash, why }) =>
      `Warning: line ${line} (${email || hash}): ${why}${why.endsWith('?') ? '' : '.'} Nothing is done for it.`,
  )
}
