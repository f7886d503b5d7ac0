import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import { isPastMark, keyStatus } from '../../src/lib/core/status.js'
import type { Person } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

const NOW = new Date('2026-03-01T12:00:00Z')
const FIXME = { email: 'ada@FIXME.mq.edu.au' }
const PAST = '2026-03-01T11:59:59Z'

it.each<[Partial<Person>, Partial<Key>, number, string]>([
  [{}, {}, 1, 'OK'],
  [FIXME, {}, 1, 'FIX EMAIL'],
  [{}, { disabled: true }, 1, 'disabled'],
  [{}, { limitRemaining: 0 }, 1, 'over limit'],
  [{}, { limitRemaining: -0.2 }, 1, 'over limit'],
  [{}, { limit: 0, limitRemaining: 0 }, 1, 'over limit'],
  [{}, { limitRemaining: 0.7 }, 1, 'OK'],
  [{}, { limit: null, limitRemaining: null, usage: 99 }, 1, 'OK'],
  // With a reset, the usage of a lifetime may be beyond the limit of a day.
  [{}, { limit: 1, limitReset: 'daily', limitRemaining: 1, usage: 40 }, 1, 'OK'],
  [{}, { expiresAt: PAST }, 1, 'expired'],
  [{}, { expiresAt: '2026-03-01T12:00:00Z' }, 1, 'expired'],
  [{}, { expiresAt: '2026-03-01T12:00:01Z' }, 1, 'OK'],
  [{}, {}, 2, '2 keys'],
  [{}, {}, 3, '3 keys'],
  [{}, { disabled: true }, 2, 'disabled'],
  [{}, { expiresAt: PAST }, 2, 'expired'],
  [
    FIXME,
    { disabled: true, expiresAt: PAST, limitRemaining: 0 },
    1,
    'FIX EMAIL, disabled, expired, over limit',
  ],
  [FIXME, { limitRemaining: 0 }, 2, 'FIX EMAIL, over limit, 2 keys'],
  [{}, { limit: 10, limitRemaining: 2 }, 1, '80% spent'],
  [{}, { limit: 10, limitRemaining: 0.05 }, 1, '99% spent'],
  [{}, { limit: 10, limitRemaining: 2.01 }, 1, 'OK'],
  [{}, { limit: 10, limitRemaining: 1 }, 2, '90% spent, 2 keys'],
])('%j %j, %i working: %s', (person, key, enabledKeys, status) => {
  const context = { now: NOW, enabledKeys, unguarded: false, warnAt: 80 }
  expect(keyStatus(aPerson(person), aKey(key), context)).toBe(status)
})

it('has no mark unless there is one', () => {
  const key = aKey({ limit: 10, limitRemaining: 0.05 })
  expect(keyStatus(aPerson(), key, { now: NOW, enabledKeys: 1, unguarded: false, warnAt: undefined })).toBe(
    'OK',
  )
})

describe('isPastMark', () => {
  it.each<[Partial<Key>, number | undefined, boolean]>([
    [{ limit: 10, limitRemaining: 2 }, 80, true],
    [{ limit: 10, limitRemaining: 2.01 }, 80, false],
    [{ limit: 10, limitRemaining: 0 }, 100, true],
    [{ limit: 10, limitRemaining: -1 }, 100, true],
    // Nothing is what it was given: nobody has to be told of it every night.
    [{ limit: 0, limitRemaining: 0 }, 100, false],
    [{ limit: null, limitRemaining: null, usage: 99 }, 1, false],
    [{ limit: 10, limitRemaining: 0 }, undefined, false],
  ])('%j at %s: %s', (key, mark, past) => expect(isPastMark(aKey(key), mark)).toBe(past))

  it('is exact for every cent, though fractions of a dollar are not', () => {
    for (const limit of [1, 3, 7, 10]) {
      for (let percent = 1; percent <= 100; percent++) {
        const key = aKey({ limit, limitRemaining: (limit * (100 - percent)) / 100 })
        expect([limit, percent, isPastMark(key, percent)]).toEqual([limit, percent, true])
        expect([limit, percent, isPastMark(key, percent + 1)]).toEqual([limit, percent, false])
        if (percent === 100) continue
        const status = keyStatus(aPerson(), key, {
          now: NOW,
          enabledKeys: 1,
          unguarded: false,
          warnAt: percent,
        })
        expect([limit, status]).toEqual([limit, `${percent}% spent`])
      }
    }
  })
})
