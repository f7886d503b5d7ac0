import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseExpiry, sameExpiry, utcText } from '../../src/lib/core/expiry.js'

/** Lets the machine stand in another time zone until the test ends. */
const standIn = (zone: string) => vi.stubEnv('TZ', zone)
afterEach(() => vi.unstubAllEnvs())

/** A moment as a clock on the wall of a zone shows it, by other means than the code under test. */
function wallClock(at: string, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
    hourCycle: 'h23',
  }).format(new Date(at))
}

const day = (year: number, n: number) => new Date(Date.UTC(year, 0, 1 + n)).toISOString().slice(0, 10)
const ZONES = [
  'Australia/Sydney',
  'UTC',
  'America/Los_Angeles',
  'Asia/Kathmandu',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Africa/Cairo',
]

describe('a day ends at its last second in the zone of the machine', () => {
  it.each([
    ['Australia/Sydney', '2026-11-30', '2026-11-30T12:59:59Z'],
    ['Australia/Sydney', '2026-06-30', '2026-06-30T13:59:59Z'],
    // Summer time ends at three in the morning of the fifth of April…
    ['Australia/Sydney', '2026-04-03', '2026-04-03T12:59:59Z'],
    ['Australia/Sydney', '2026-04-04', '2026-04-04T12:59:59Z'],
    ['Australia/Sydney', '2026-04-05', '2026-04-05T13:59:59Z'],
    ['Australia/Sydney', '2026-04-06', '2026-04-06T13:59:59Z'],
    // …and begins at two in the morning of the fourth of October.
    ['Australia/Sydney', '2026-10-03', '2026-10-03T13:59:59Z'],
    ['Australia/Sydney', '2026-10-04', '2026-10-04T12:59:59Z'],
    ['Australia/Sydney', '2026-10-05', '2026-10-05T12:59:59Z'],
    ['UTC', '2026-11-30', '2026-11-30T23:59:59Z'],
    ['UTC', '2028-02-29', '2028-02-29T23:59:59Z'],
    ['America/Los_Angeles', '2026-11-30', '2026-12-01T07:59:59Z'],
    ['America/Los_Angeles', '2026-03-07', '2026-03-08T07:59:59Z'],
    ['America/Los_Angeles', '2026-03-08', '2026-03-09T06:59:59Z'],
    ['America/Los_Angeles', '2026-12-31', '2027-01-01T07:59:59Z'],
    ['Asia/Kathmandu', '2026-11-30', '2026-11-30T18:14:59Z'],
  ])('%s, %s: %s', (zone, asked, utc) => {
    standIn(zone)
    expect(parseExpiry(asked)).toBe(utc)
  })

  it.each(ZONES)('%s, all days of two years', (zone) => {
    standIn(zone)
    for (let n = 0; n < 731; n++) {
      const asked = day(2026, n)
      const expiry = parseExpiry(asked) ?? ''
      expect(expiry).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      expect([asked, wallClock(expiry, zone)]).toEqual([asked, `${asked} 23:59:59`])
    }
  })

  it('any day, in any of the zones', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), fc.integer({ min: 0, max: 70 * 365 }), (zone, n) => {
        standIn(zone)
        const asked = day(2026, n)
        expect(wallClock(parseExpiry(` ${asked}\t`) ?? '', zone)).toBe(`${asked} 23:59:59`)
      }),
    )
  })
})

describe('a moment', () => {
  it.each([
    ['2026-11-30 17:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30T17:00', '2026-11-30T06:00:00Z'],
    ['2026-11-30 17:00:30', '2026-11-30T06:00:30Z'],
    ['2026-06-30 17:00', '2026-06-30T07:00:00Z'],
    ['2026-11-30T17:00Z', '2026-11-30T17:00:00Z'],
    ['2026-11-30 17:00:00Z', '2026-11-30T17:00:00Z'],
    ['2026-11-30T17:00:00+02:00', '2026-11-30T15:00:00Z'],
    ['2026-11-30T17:00:00-08:00', '2026-12-01T01:00:00Z'],
  ])('%s in Sydney is %s', (asked, utc) => {
    standIn('Australia/Sydney')
    expect(parseExpiry(asked)).toBe(utc)
  })

  it('that was written by ourselves comes back as it is', () => {
    standIn('Australia/Sydney')
    const seconds = fc.date({ noInvalidDate: true, min: new Date('2026-01-01'), max: new Date('2099-12-31') })
    fc.assert(
      fc.property(seconds, (at) => {
        const text = utcText(at)
        expect(text).toBe(`${at.toISOString().slice(0, 19)}Z`)
        expect(parseExpiry(text)).toBe(text)
      }),
    )
  })
})

it.each([
  '',
  'soon',
  '30.11.2026',
  '30/11/2026',
  '11/30/2026',
  '2026-11',
  '2026-11-31',
  '2026-02-29',
  '2026-02-30',
  '2026-13-01',
  '2026-00-10',
  '2026-11-00',
  '2026-1-5',
  '20261130',
  '2026-11-30x',
  '2026-11-30 25:00',
  '2026-11-30 17:61',
  '2026-11-30 5pm',
  '2026-02-30 17:00',
  '2026-11-30T17:00+99:00',
  '+2026-11-30',
  '٢٠٢٦-11-30',
])('%j is no expiry', (text) => {
  expect(parseExpiry(text)).toBeUndefined()
})

it.each<[string | null, string | null, boolean]>([
  [null, null, true],
  [null, '2026-11-30T12:59:59Z', false],
  ['2026-11-30T12:59:59Z', null, false],
  ['2026-11-30T12:59:59Z', '2026-11-30T12:59:59Z', true],
  ['2026-11-30T12:59:59Z', '2026-11-30T12:59:59.000000+00:00', true],
  ['2026-11-30T12:59:59Z', '2026-11-30T23:59:59+11:00', true],
  ['2026-11-30T12:59:59Z', '2026-11-30T12:59:58Z', false],
  ['2026-11-30T12:59:59Z', 'never', false],
])('%s and %s are the same expiry: %s', (a, b, same) => {
  expect(sameExpiry(a, b)).toBe(same)
})
