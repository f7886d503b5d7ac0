import { describe, expect, it, vi } from 'vitest'
import { ledgerTime, localDate, localTime, localTimestamp } from '../../src/lib/core/times.js'

describe('local times', () => {
  it.each([
    ['Australia/Sydney', '2026-02-18T13:30:05Z', '20260219_003005'],
    ['UTC', '2026-02-18T13:30:05Z', '20260218_133005'],
    ['America/Los_Angeles', '2026-01-01T07:59:59Z', '20251231_235959'],
    ['Asia/Kolkata', '2026-12-31T18:30:00Z', '20270101_000000'],
    // The clock is set back at three: half past two comes twice, an hour apart.
    ['Australia/Sydney', '2026-04-04T15:30:00Z', '20260405_023000'],
    ['Australia/Sydney', '2026-04-04T16:30:00Z', '20260405_023000'],
    // The clock is set forward at two: a second later it is three.
    ['Australia/Sydney', '2026-10-03T15:59:59Z', '20261004_015959'],
    ['Australia/Sydney', '2026-10-03T16:00:00Z', '20261004_030000'],
  ])('in %s, %s is %s', (zone, moment, timestamp) => {
    vi.stubEnv('TZ', zone)
    expect(localTimestamp(new Date(moment))).toBe(timestamp)
    expect(localDate(new Date(moment))).toBe(timestamp.slice(0, 8))
    // Sweden writes the time so.
    expect(localTime(new Date(moment))).toBe(new Date(moment).toLocaleString('sv-SE'))
  })

  it.each([
    [new Date(2026, 0, 2, 3, 4, 5), '20260102_030405'],
    [new Date(2026, 10, 12, 13, 14, 15), '20261112_131415'],
    [new Date(new Date(0).setFullYear(87, 0, 1)), /^00870101_/],
  ])('%s is padded', (at, timestamp) => expect(localTimestamp(at)).toMatch(timestamp))
})

it.each([
  ['2026-02-19T20:52:27.363Z', '2026-02-19T20:52:27.363+00:00'],
  ['2026-02-19T20:52:27Z', '2026-02-19T20:52:27.000+00:00'],
  ['2026-02-19T20:52:27+11:00', '2026-02-19T09:52:27.000+00:00'],
])('the ledger keeps %s as %s, which is the same moment', (moment, text) => {
  expect(ledgerTime(new Date(moment))).toBe(text)
  expect(Date.parse(text)).toBe(Date.parse(moment))
})
