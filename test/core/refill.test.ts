import { expect, it } from 'vitest'
import { nextRefill } from '../../src/lib/core/refill.js'

it.each([
  ['daily', '2026-02-19T10:00:00Z', '2026-02-20'],
  ['daily', '2026-02-19T00:00:00Z', '2026-02-20'],
  ['daily', '2026-12-31T23:59:59Z', '2027-01-01'],
  // 19 February 2026 is a Thursday.
  ['weekly', '2026-02-19T10:00:00Z', '2026-02-23'],
  ['weekly', '2026-02-22T23:59:59Z', '2026-02-23'],
  ['weekly', '2026-02-23T00:00:00Z', '2026-03-02'],
  ['monthly', '2026-01-31T10:00:00Z', '2026-02-01'],
  ['monthly', '2026-12-01T00:00:00Z', '2027-01-01'],
] as const)('%s, at %s: %s', (reset, now, day) => {
  expect(nextRefill(reset, new Date(now))).toEqual(new Date(`${day}T00:00:00Z`))
})

it('never happens to a limit for a lifetime', () => expect(nextRefill(null, new Date())).toBeNull())
