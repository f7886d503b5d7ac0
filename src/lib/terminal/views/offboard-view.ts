import type { OffboardPlan } from '../../core/offboard-plan.js'
import type { OffboardResult } from '../../core/results.js'
import { count } from '../../core/words.js'
import { type Column, keyNameColumn, tableLines } from '../table.js'
import { DRY_RUN, fileLines, lostLines, outcomeLines, safetyLines, secondKeyLine } from './plan-lines.js'

const COLUMNS: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'NAME', flexible: true },
  keyNameColumn(),
  { title: 'CHANGE' },
]

/** The plan of `offboard`; see tableLines for `width`. */
export function offboardPlanView(
  plan: OffboardPlan,
  width: number | undefined,
  { dryRun }: { dryRun: boolean },
): string[] {
  const rows = plan.changes.flatMap((change) =>
    change.kind === 'delete-lost' ? [] : [[change.email, change.name, change.keyName, change.kind]],
  )
  const disables = plan.changes.filter(({ kind }) => kind === 'disable').length
  const deletes = plan.changes.filter(({ kind }) => kind === 'delete').length
  return [
    ...lostLines(plan.changes),
    ...(rows.length > 0 ? tableLines(COLUMNS, rows, width) : []),
    `Plan: ${count(disables, 'key')} to disable${deletes > 0 ? `, ${deletes} to delete` : ''}; ${plan.disabledAlready} already disabled.`,
    ...plan.leftAlone.map(
      ({ name, keyName, why }) =>
        `${name}: ${keyName} is left alone, since ${why}. class-keys provision says more.`,
    ),
    ...plan.secondKeys.map(secondKeyLine),
    ...(plan.madeElsewhere > 0
      ? [
          `${count(plan.madeElsewhere, 'of these keys was', 'of these keys were')} made elsewhere. If another class uses the same account, it may be using them.`,
        ]
      : []),
    ...safetyLines(plan.safety),
    ...(dryRun ? [DRY_RUN] : ['']),
  ]
}

/** What `offboard` shows when it has ended. */
export function offboardView(result: OffboardResult): string[] {
  const { counts, files, plan } = result
  return [
    `Disabled: ${counts.disabled ?? 0}`,
    ...(counts.deleted ? [`Deleted: ${counts.deleted}`] : []),
    ...(result.deletedLost.length > 0 ? [`Lost keys deleted: ${result.deletedLost.length}`] : []),
    `Already disabled: ${plan.disabledAlready}`,
    ...outcomeLines(result),
    ...(files.usage ? [`Usage: ${files.usage}`] : []),
    ...fileLines(files),
  ]
}
