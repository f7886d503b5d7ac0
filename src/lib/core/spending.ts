import { ClassKeysError } from './errors.js'
import { formatUsd, type Limit, type LimitReset, sumUsd, type Usd } from './money.js'

/** What the class's enabled keys may spend in each period together, in US dollars; null is unlimited. */
export type Spending = { reset: LimitReset; limit: Limit }[]

/** What keys or planned keys may spend together in each period. */
export function spendingOf(keys: readonly { limit: Limit; limitReset: LimitReset }[]): Spending {
  const known = ['daily', 'weekly', 'monthly'] as const
  const periods = new Set([
    ...known,
    ...keys.map(({ limitReset }) => limitReset).filter((reset) => reset !== null),
  ])
  return [...periods, null].flatMap((reset) => {
    const limits = keys.filter((key) => key.limitReset === reset).map((key) => key.limit)
    if (limits.length === 0) return []
    const amounts = limits.filter((limit) => limit !== null)
    return [{ reset, limit: amounts.length < limits.length ? null : sumUsd(amounts) }]
  })
}

/**
 * Refuses a plan by which the class could then spend more than it may. The limits of all enabled keys count, each
 * once, whatever its period: that is what could be spent before anything refills.
 * @throws ClassKeysError `over_class_budget`, exit code 4
 */
export function refuseOverBudget(spending: Spending, classBudget: Usd | undefined): void {
  if (classBudget === undefined) return
  const limits = spending.map(({ limit }) => limit)
  const known = limits.filter((limit) => limit !== null)
  const sum = sumUsd(known)
  const unlimited = known.length < limits.length
  if (!unlimited && sum <= classBudget) return
  throw new ClassKeysError(
    'over_class_budget',
    `The class could then spend ${unlimited ? 'without limit' : formatUsd(sum)}, and its budget is ${formatUsd(classBudget)}. Nothing was changed. Lower the budgets of the roster, or raise --class-budget.`,
    4,
  )
}
