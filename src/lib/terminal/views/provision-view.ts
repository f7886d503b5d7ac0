import { formatLimit, formatUsd, type Usd } from '../../core/money.js'
import type { ProvisionPlan } from '../../core/provision-plan.js'
import type { ProvisionResult } from '../../core/results.js'
import type { Spending } from '../../core/spending.js'
import { count } from '../../core/words.js'
import { type Column, keyNameColumn, tableLines } from '../table.js'
import {
  apiKeysLines,
  DRY_RUN,
  fileLines,
  localMinute,
  lostLines,
  namesOf,
  outcomeLines,
  safetyLines,
  secondKeyLine,
  setRightLines,
} from './plan-lines.js'

const CREATES: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  keyNameColumn(),
  { title: 'LIMIT', align: 'right' },
  { title: 'RESET' },
]
const EXPIRES: Column = { title: 'EXPIRES' }

/** The plan of `provision`; see tableLines for `width`. */
export function provisionPlanView(
  plan: ProvisionPlan,
  width: number | undefined,
  { dryRun }: { dryRun: boolean },
): string[] {
  const creates = plan.changes.filter((change) => change.kind === 'create')
  const enables = plan.changes.filter((change) => change.kind === 'enable')
  const assigns = plan.changes.filter((change) => change.kind === 'assign-guardrail')
  const lines = lostLines(plan.changes)
  for (const { name, email, keyName } of enables)
    lines.push(`${name} (${email}) is back: ${keyName} will be enabled again.`)
  lines.push(...setRightLines(plan.changes))
  for (const { name, email, keyName, guardrail } of assigns)
    lines.push(`${name} (${email}): ${keyName} will get the guardrail ${guardrail.name}.`)
  if (creates.length > 0) {
    const expiring = creates.some((change) => change.expiresAt !== null)
    const rows = creates.map((c) => [
      c.email,
      c.keyName,
      formatLimit(c.limit),
      c.limitReset ?? '',
      ...(expiring ? [c.expiresAt === null ? 'never' : localMinute(c.expiresAt)] : []),
    ])
    lines.push(...tableLines(expiring ? [...CREATES, EXPIRES] : CREATES, rows, width))
  }
  const guardrail = creates.find((change) => change.guardrail !== null)?.guardrail
  return [
    ...lines,
    `Plan: ${count(creates.length, 'key')} to make${guardrail ? `, with the guardrail ${guardrail.name}` : ''}${enables.length > 0 ? `, ${enables.length} to enable again` : ''}; ${count(plan.keyHolders.length, 'student')} already ${plan.keyHolders.length === 1 ? 'has' : 'have'} one.`,
    ...(plan.guardrailLeftOut
      ? [
          `Other keys of the class have the guardrail ${plan.guardrailLeftOut.name}, and these will not. --guardrail gives it to them.`,
        ]
      : []),
    ...plan.secondKeys.map(secondKeyLine),
    ...(dryRun ? standing(plan) : []),
    `The class could then spend ${spendingText(plan.spending)}${plan.balance === null ? '' : `; the account has ${formatUsd(cents(plan.balance))} left`}.`,
    ...safetyLines(plan.safety),
    ...(dryRun ? [DRY_RUN] : ['']),
  ]
}

/** An account's balance, of which nobody needs to know fractions of a cent. */
function cents(usd: Usd): Usd {
  return Math.round(usd * 100) / 100
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
  return [
    `Created: ${counts.created ?? 0}`,
    `Already had one: ${counts['already had one'] ?? 0}`,
    ...(counts.enabled ? [`Enabled again: ${counts.enabled}`] : []),
    ...(counts.updated ? [`Earlier keys set right: ${counts.updated}`] : []),
    ...(result.deleted.length > 0 ? [`Lost keys deleted: ${result.deleted.length}`] : []),
    ...(counts.healed ? [`Healed (a new key for a lost one): ${counts.healed}`] : []),
    ...outcomeLines(result),
    ...standing(result),
    ...apiKeysLines(result),
    ...fileLines(result.files),
  ]
}

function standing(
  of: Pick<ProvisionPlan, 'placeholders' | 'leftAlone' | 'keyHolders' | 'renamed'>,
): string[] {
  const secretless = of.keyHolders.filter((holder) => !holder.secretHere).length
  const disabled = of.keyHolders.filter((holder) => holder.disabled).map(({ name }) => name)
  return [
    ...of.placeholders.map(
      ({ name, email }) =>
        `${name}: ${email} is a placeholder, so no key is made. Fill in the address, then run provision again.`,
    ),
    ...of.renamed.map(
      ({ name, keyName, mqId }) =>
        `${name}: their key is called “${keyName}” in OpenRouter. The ledger knows that it is theirs; a name that ends in _${mqId} would tell it without the ledger.`,
    ),
    ...of.leftAlone.map(
      ({ name, keyName, hashes, why }) =>
        `${name}: left alone, since ${why}. Look at ${keyName} in OpenRouter (${hashes.map((hash) => hash.slice(0, 12)).join(', ')}), delete what is not in use, then run provision again.`,
    ),
    ...(disabled.length > 0
      ? [`Only a disabled key: ${namesOf(disabled)}. target_disabled in limits.csv enables it again.`]
      : []),
    ...(secretless > 0
      ? [
          secretless === 1
            ? '1 student has a key whose secret is not in this ledger; it was made elsewhere and is left alone.'
            : `${secretless} students have keys whose secrets are not in this ledger; they were made elsewhere and are left alone.`,
        ]
      : []),
  ]
}
