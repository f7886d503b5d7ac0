import { formatLimit } from '../../core/money.js'
import { isUnfinished, type StudentOutcome } from '../../core/outcome.js'
import type { ProvisionPlan, Spending } from '../../core/provision-plan.js'
import type { ProvisionResult } from '../../core/results.js'
import { count } from '../../core/words.js'
import { type Column, tableLines } from '../table.js'

const CREATES: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'KEY NAME', flexible: true },
  { title: 'LIMIT', align: 'right' },
  { title: 'RESET' },
]

/** The plan of `provision`, as `--dry-run` shows it; see tableLines for `width`. */
export function provisionPlanView(plan: ProvisionPlan, width: number | undefined): string[] {
  const creates = plan.changes.filter((change) => change.kind === 'create')
  const lost = plan.changes.filter((change) => change.kind === 'delete-lost')
  const lines: string[] = []
  for (const change of lost) {
    lines.push(
      `${change.name} (${change.email}): the lost key ${change.keyName} would be deleted; nobody has its secret.`,
    )
  }
  if (creates.length > 0) {
    const rows = creates.map((c) => [c.email, c.keyName, formatLimit(c.limit), c.limitReset ?? ''])
    lines.push(...tableLines(CREATES, rows, width))
  }
  lines.push(
    `${count(creates.length, 'key')} would be made; ${count(plan.keyHolders.length, 'student')} already ${plan.keyHolders.length === 1 ? 'has' : 'have'} one.`,
    ...standing(plan),
    `The class could then spend ${spendingText(plan.spending)}.`,
    'This was a dry run: nothing was sent, and nothing was written.',
  )
  return lines
}

const PERIODS = { daily: 'a day', weekly: 'a week', monthly: 'a month' } as const

/** What the students of a class may spend together: `$360.00 a month and $40.00 once`. */
export function spendingText(spending: Spending): string {
  const parts = spending.map(({ reset, limit }) =>
    limit === null ? 'without limit' : `${formatLimit(limit)} ${reset === null ? 'once' : PERIODS[reset]}`,
  )
  const last = parts.pop()
  if (last === undefined) return 'nothing'
  return parts.length === 0 ? last : `${parts.join(', ')} and ${last}`
}

/** What `provision` shows when it has ended. */
export function provisionView(result: ProvisionResult): string[] {
  const { counts } = result
  const lines = [
    `Created: ${counts.created ?? 0}`,
    `Already had one: ${counts['already had one'] ?? 0}`,
    ...(result.deleted.length > 0 ? [`Lost keys deleted: ${result.deleted.length}`] : []),
    ...(counts.healed ? [`Healed (a new key for a lost one): ${counts.healed}`] : []),
    ...(counts.failed ? [`Failed: ${counts.failed}`] : []),
    ...(counts['in doubt'] ? [`In doubt: ${counts['in doubt']}`] : []),
    ...(counts['not tried'] ? [`Not tried: ${counts['not tried']}`] : []),
    ...troubles(result.students),
    ...standing(result),
  ]
  if (result.recovered > 0) {
    lines.push(
      `${count(result.recovered, 'key')} of an earlier, broken run had never been written to a file; the file below has them too.`,
    )
  }
  const { apiKeys, limits, snapshot } = result.files
  if (apiKeys) {
    lines.push(
      '',
      `API keys: ${apiKeys}`,
      'It holds the secrets: hand each student their own, then delete the file. class-keys export-keys writes it again.',
    )
  }
  if (limits) lines.push(`Limits: ${limits}`)
  if (snapshot) lines.push(`Snapshot: ${snapshot}`)
  return lines
}

/** The students that something is left to do for, with the reason; those that were not tried are only counted. */
export function troubles(students: readonly StudentOutcome[]): string[] {
  return students
    .filter((student) => isUnfinished(student) && student.outcome !== 'not tried')
    .map(
      ({ name, email, outcome, reason }) => `  ${name} (${email}): ${outcome}${reason ? `: ${reason}` : ''}`,
    )
}

function standing(
  of: Pick<ProvisionPlan, 'placeholders' | 'leftAlone' | 'keyHolders' | 'renamed'>,
): string[] {
  const secretless = of.keyHolders.filter((holder) => !holder.secretHere).length
  return [
    ...of.placeholders.map(
      ({ name, email }) =>
        `${name}: ${email} is a placeholder, skipped. Find out the address, then run provision again.`,
    ),
    ...of.renamed.map(
      ({ name, keyName, mqId }) =>
        `${name}: has a key that is called “${keyName}” in OpenRouter. Give it a name that ends in _${mqId} again, so that check finds it.`,
    ),
    ...of.leftAlone.map(
      ({ name, keyName, hashes, why }) =>
        `${name}: left alone, since ${why}. Look at ${keyName} in OpenRouter (${hashes.map((hash) => hash.slice(0, 12)).join(', ')}), delete what is not in use, then run provision again.`,
    ),
    ...(secretless > 0
      ? [
          `${count(secretless, 'student has', 'students have')} a key whose secret is not in this ledger; it was made elsewhere and is left alone.`,
        ]
      : []),
  ]
}
