import { formatLimit } from '../../core/money.js'
import type { RotateResult } from '../../core/results.js'
import type { RotationPlan } from '../../core/rotation-plan.js'
import { count } from '../../core/words.js'
import { type Column, keyNameColumn, tableLines } from '../table.js'
import {
  apiKeysLines,
  DRY_RUN,
  fileLines,
  localMinute,
  lostLines,
  outcomeLines,
  safetyLines,
  setRightLines,
} from './plan-lines.js'

const COLUMNS: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  keyNameColumn('NEW KEY'),
  { title: 'LIMIT', align: 'right' },
  { title: 'RESET' },
  { title: 'OLD KEY', flexible: true },
]

/** The plan of `rotate`; see tableLines for `width`. */
export function rotatePlanView(
  plan: RotationPlan,
  width: number | undefined,
  { dryRun }: { dryRun: boolean },
): string[] {
  const creates = plan.changes.filter((change) => change.kind === 'create')
  const retires = plan.changes.filter((change) => change.kind === 'disable' || change.kind === 'delete')
  const fate = new Map([
    ...retires.map(({ hash, kind }) => [hash, kind === 'delete' ? 'deleted' : 'disabled'] as const),
    ...plan.kept.map(({ hash, until }) => [hash, `kept until ${localMinute(until)}`] as const),
  ])
  const replaced = new Set(creates.map(({ replaces }) => replaces))
  const rows = [
    ...creates.map((c) => [
      c.email,
      c.keyName,
      formatLimit(c.limit),
      c.limitReset ?? '',
      fate.get(c.replaces ?? '') ?? 'disabled already',
    ]),
    ...[...retires, ...plan.kept]
      .filter(({ hash }) => !replaced.has(hash))
      .map(({ email, hash }) => [email, 'already made', '', '', fate.get(hash) ?? '']),
  ]
  return [
    ...(plan.resumesSince === null
      ? []
      : [`This resumes the run that was begun on ${localMinute(plan.resumesSince)} and interrupted.`]),
    ...lostLines(plan.changes),
    ...setRightLines(plan.changes),
    ...(rows.length > 0 ? tableLines(COLUMNS, rows, width) : []),
    ...skippedLines(plan),
    ...plan.notOnRoster.map(({ name, email }) => `${name} (${email}) is not on the roster.`),
    ...plan.overtaken.map(
      ({ name, email }) =>
        `${name} (${email}): what limits.csv asks of the old key has not been applied, and is taken out of the file. Run class-keys update first, or write it into the row of the new key afterwards.`,
    ),
    `Plan: ${count(creates.length, 'key')} to make, ${count(retires.length, 'old key')} to retire.`,
    ...safetyLines(plan.safety),
    ...(dryRun ? [DRY_RUN] : ['']),
  ]
}

/** So many who get no new key for one reason are named; of more it is said how many. */
const MOST_NAMED = 3

function skippedLines({ skipped }: RotationPlan): string[] {
  const reasons = [...new Set(skipped.map(({ why }) => why))]
  return reasons.flatMap((reason) => {
    const students = skipped.filter(({ why }) => why === reason)
    if (students.length > MOST_NAMED) return [`${count(students.length, 'student')}: no new key, ${reason}.`]
    return students.map(({ name, email }) => `${name} (${email}): no new key, ${reason}.`)
  })
}

/** What `rotate` shows when it has ended. */
export function rotateView(result: RotateResult): string[] {
  const { rotated, disabled, deleted } = result.counts
  return [
    `Rotated: ${rotated ?? 0}`,
    ...(disabled ? [`Old keys disabled: ${disabled}`] : []),
    ...(deleted ? [`Old keys deleted: ${deleted}`] : []),
    ...(result.deleted.length > 0 ? [`Lost keys deleted: ${result.deleted.length}`] : []),
    ...outcomeLines(result),
    ...apiKeysLines(result),
    ...fileLines(result.files),
  ]
}
