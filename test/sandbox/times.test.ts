import { describe, expect, test } from 'vitest'
import { remaining, usageOf } from '../../src/lib/sandbox/spending.js'
import { formatDate, formatMicros, periodsAt } from '../../src/lib/sandbox/times.js'

test.each([
  [1771534347363244, '2026-02-19T20:52:27.363244+00:00'],
  [1771534347363007, '2026-02-19T20:52:27.363007+00:00'],
  [1771534347000000, '2026-02-19T20:52:27.000000+00:00'],
])('%i is written %s', (micros, text) => {
  expect(formatMicros(micros)).toBe(text)
})

test('a Date is written in the same form', () => {
  expect(formatDate(new Date('2026-11-30T23:59:59Z'))).toBe('2026-11-30T23:59:59.000000+00:00')
})

test.each([
  ['2026-03-02T00:00:00.000Z', '2026-03-02', '2026-03-02', '2026-03-01'],
  ['2026-03-01T23:59:59.999Z', '2026-03-01', '2026-02-23', '2026-03-01'],
  ['2026-01-01T12:00:00.000Z', '2026-01-01', '2025-12-29', '2026-01-01'],
  ['2028-02-29T12:00:00.000Z', '2028-02-29', '2028-02-28', '2028-02-01'],
])('at %s the day began on %s, the week on %s, the month on %s', (now, ...days) => {
  const [daily, weekly, monthly] = days.map((day) => Date.parse(`${day}T00:00:00Z`))
  expect(periodsAt(new Date(now))).toEqual({ daily, weekly, monthly })
})

describe('what was spent', () => {
  const periods = periodsAt(new Date('2026-03-04T12:00:00Z'))

  test('at the very beginning of a period belongs to it', () => {
    const spent = Object.values(periods).map((at) => ({ at, amount: 1 }))
    expect(usageOf(spent, periods)).toEqual({ total: 3, daily: 1, weekly: 2, monthly: 3 })
  })

  test('has no noise of binary fractions', () => {
    const spent = Array.from({ length: 3 }, () => ({ at: periods.daily, amount: 0.1 }))
    expect(usageOf(spent, periods).total).toBe(0.3)
    expect(remaining(1, null, usageOf(spent, periods))).toBe(0.7)
  })
})
