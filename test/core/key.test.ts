import { expect, it } from 'vitest'
import { isExpired, isUsed, type Key, percentSpent } from '../../src/lib/core/key.js'
import { aKey } from './make.js'

it.each([
  [{ usage: 0, byokUsage: 0 }, false],
  [{ usage: 0.000001, byokUsage: 0 }, true],
  [{ usage: 0, byokUsage: 0.01 }, true],
  [{ usage: 0, byokUsage: 0, limitRemaining: 0, disabled: true }, false],
])('%j is used: %s', (over, used) => expect(isUsed(aKey(over))).toBe(used))

it.each([
  [null, false],
  ['2026-03-01T11:59:59Z', true],
  ['2026-03-01T12:00:00+00:00', true],
  ['2026-03-01T12:00:01Z', false],
  ['2026-03-01T22:59:59+11:00', true],
])('a key until %s has expired at noon of 1 March: %s', (expiresAt, expired) => {
  expect(isExpired(aKey({ expiresAt }), new Date('2026-03-01T12:00:00Z'))).toBe(expired)
})

it.each<[Partial<Key>, number | undefined]>([
  [{ limit: 4, limitRemaining: 4 }, 0],
  [{ limit: 4, limitRemaining: 1 }, 75],
  [{ limit: 1, limitRemaining: 0.34 }, 66],
  [{ limit: 3, limitRemaining: 2 }, 33.33],
  [{ limit: 4, limitRemaining: 0 }, 100],
  [{ limit: 4, limitRemaining: -1 }, 125],
  [{ limit: 0, limitRemaining: 0 }, 100],
  // What is left counts, not what was ever spent: the limit may have been refilled.
  [{ limit: 4, limitRemaining: 3, usage: 90 }, 25],
  [{ limit: null, limitRemaining: null }, undefined],
  [{ limit: 4, limitRemaining: null }, undefined],
])('%j has spent %s percent', (over, percent) => expect(percentSpent(aKey(over))).toBe(percent))
