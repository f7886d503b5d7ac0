import { describe, expect, it } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import type { LimitReset } from '../../src/lib/core/money.js'
import { refuseOverBudget, type Spending, spendingOf } from '../../src/lib/core/spending.js'

describe('spendingOf', () => {
  it.each([
    [[], []],
    [[{ limit: 0, limitReset: null }], [{ reset: null, limit: 0 }]],
    [
      [
        { limit: 1, limitReset: null },
        { limit: null, limitReset: null },
        { limit: 0.1, limitReset: 'daily' },
        { limit: 0.2, limitReset: 'daily' },
        { limit: 4, limitReset: 'monthly' },
      ] as const,
      [
        { reset: 'daily', limit: 0.3 },
        { reset: 'monthly', limit: 4 },
        { reset: null, limit: null },
      ],
    ],
    // A period that is not known counts all the same, behind those that are.
    [
      [
        { limit: 7, limitReset: null },
        { limit: 5, limitReset: 'hourly' as unknown as LimitReset },
        { limit: 6, limitReset: 'weekly' },
      ] as const,
      [
        { reset: 'weekly', limit: 6 },
        { reset: 'hourly', limit: 5 },
        { reset: null, limit: 7 },
      ],
    ],
  ])('%j', (keys, spending) => expect(spendingOf(keys)).toEqual(spending))
})

describe('--class-budget', () => {
  const BOTH: Spending = [
    { reset: 'weekly', limit: 2.5 },
    { reset: null, limit: 3 },
  ]

  /** What is said where spending is refused; undefined where it is not. */
  const refused = (spending: Spending, budget: number | undefined) => {
    try {
      refuseOverBudget(spending, budget)
    } catch (error) {
      if (error instanceof ClassKeysError) return error
      throw error
    }
    return undefined
  }

  it.each([
    [5.5, false],
    [5.51, false],
    [1000, false],
    [undefined, false],
    [5.49, true],
    [0, true],
  ])('of %s, where $3 once and $2.50 a week could be spent: refused: %s', (budget, no) => {
    const error = refused(BOTH, budget)
    expect(error !== undefined).toBe(no)
    if (no) expect(error).toMatchObject({ code: 'over_class_budget', exitCode: 4 })
  })

  it('is told with both amounts', () => {
    expect(refused(BOTH, 5)?.message).toBe(
      'The class could then spend $5.50, and its budget is $5.00. Nothing was changed. Lower the budgets of the roster, or raise --class-budget.',
    )
  })

  it('adds up cents as cents', () => {
    const ten = spendingOf(Array.from({ length: 10 }, () => ({ limit: 0.1, limitReset: null })))
    expect(refused(ten, 1)).toBeUndefined()
    expect(refused(ten, 0.99)).toBeDefined()
    const three = [0.1, 0.2, 0.3].map((limit, i) => ({
      reset: (['daily', 'weekly', null] as const)[i] ?? null,
      limit,
    }))
    expect(refused(three, 0.6)).toBeUndefined()
  })

  it('is never enough where one key has no limit, whatever the others have', () => {
    const error = refused([...BOTH, { reset: 'monthly', limit: null }], 1_000_000)
    expect(error?.message).toContain(
      'The class could then spend without limit, and its budget is $1000000.00.',
    )
  })

  it('is enough for nothing at all', () => {
    expect(refused([], 0)).toBeUndefined()
    expect(refused([{ reset: null, limit: 0 }], 0)).toBeUndefined()
  })
})
