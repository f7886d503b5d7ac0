import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatLimit,
  formatUsd,
  limitText,
  parseLimit,
  parseLimitReset,
  parseRaise,
  parseUsd,
  sameLimit,
  sumUsd,
  usdText,
} from '../../src/lib/core/money.js'

/** Amounts to the millionth of a dollar, the finest that the tool accepts. */
const amount = fc.integer({ min: 0, max: 1_000_000_000_000 }).map((micros) => micros / 1_000_000)

describe('parseUsd', () => {
  it.each([
    ['3', 3],
    ['3.0', 3],
    ['3.00', 3],
    ['$3', 3],
    ['$3.50', 3.5],
    [' 3 ', 3],
    ['3.', 3],
    ['.5', 0.5],
    ['$.5', 0.5],
    ['0', 0],
    ['00.10', 0.1],
    ['0.000001', 0.000001],
    ['1000000000', 1_000_000_000],
  ])('reads %j as %d', (text, usd) => expect(parseUsd(text)).toBe(usd))

  it.each([
    '',
    ' ',
    '.',
    '$',
    '-1',
    '+1',
    '1e3',
    '3,50',
    '1,000',
    '3 50',
    '$ 3',
    '3$',
    '$$3',
    'USD 3',
    'NaN',
    'Infinity',
    '0x10',
    '1.2.3',
    '0.0000001',
    '1000000000.01',
    '9'.repeat(400),
    'lots',
    'unlimited',
    '３',
  ])('refuses %j', (text) => expect(parseUsd(text)).toBeUndefined())
})

describe('parseLimit', () => {
  it.each([
    ['unlimited', null],
    [' Unlimited ', null],
    ['UNLIMITED', null],
    ['0', 0],
    ['2.50', 2.5],
    ['', undefined],
    ['null', undefined],
    ['un limited', undefined],
    ['-1', undefined],
  ])('%j: %s', (text, limit) => expect(parseLimit(text)).toBe(limit))
})

describe('parseRaise', () => {
  it.each([
    ['+5', 5],
    ['+2.50', 2.5],
    ['+$5', 5],
    [' + 5 ', 5],
    ['+ $ 5', 5],
    ['+.5', 0.5],
    ['+0', 0],
    ['+0.000001', 0.000001],
    ['5', undefined],
    ['-5', undefined],
    ['+', undefined],
    ['', undefined],
    ['++5', undefined],
    ['$+5', undefined],
    ['+$$5', undefined],
    ['+1 0', undefined],
    ['+1,5', undefined],
    ['+1.2.3', undefined],
    ['+0.0000001', undefined],
    ['+unlimited', undefined],
  ])('%j: %s', (text, usd) => expect(parseRaise(text)).toBe(usd))
})

describe('parseLimitReset', () => {
  it.each([
    ['daily', 'daily'],
    ['Weekly', 'weekly'],
    [' MONTHLY ', 'monthly'],
    ['', null],
    ['  ', null],
    ['yearly', undefined],
    ['none', undefined],
    ['null', undefined],
  ])('%j: %s', (text, reset) => expect(parseLimitReset(text)).toBe(reset))
})

describe('sameLimit', () => {
  it.each([
    [3, 3.0, true],
    [0.1 + 0.2, 0.3, true],
    [1.000_000_4, 1, true],
    [1.000_001, 1, false],
    [0, null, false],
    [null, 0, false],
    [null, null, true],
    [0, 0, true],
    [3, 3.01, false],
  ])('%d and %d: %s', (a, b, same) => expect(sameLimit(a, b)).toBe(same))

  it('is true for every way to write one amount, and false for its neighbour', () => {
    fc.assert(
      fc.property(amount, (usd) => {
        expect(sameLimit(parseUsd(usd.toFixed(6)) ?? null, usd)).toBe(true)
        expect(sameLimit(usd, usd + 0.000_001)).toBe(false)
      }),
    )
  })
})

describe('sumUsd', () => {
  it.each([
    [[], 0],
    [[0.1, 0.2], 0.3],
    [Array.from({ length: 1000 }, () => 0.01), 10],
    [[3, 3.5, 0.000_001], 6.500_001],
  ])('%j is %d', (amounts, sum) => expect(sumUsd(amounts)).toBe(sum))
})

describe('usdText and limitText, for files', () => {
  it.each([
    [3, '3.00'],
    [0, '0.00'],
    [2.5, '2.50'],
    [10, '10.00'],
    [100_000, '100000.00'],
    [0.012345, '0.012345'],
    [0.1234, '0.1234'],
    [0.000001, '0.000001'],
    [1e9, '1000000000.00'],
    [0.1 + 0.2, '0.30'],
  ])('%d is %s', (usd, text) => {
    expect(usdText(usd)).toBe(text)
    expect(limitText(usd)).toBe(text)
  })

  it('writes no limit as a word', () => expect(limitText(null)).toBe('unlimited'))

  it('writes what reads back as the same limit', () => {
    fc.assert(
      fc.property(fc.option(amount), (limit) => {
        const back = parseLimit(limitText(limit))
        expect(back !== undefined && sameLimit(back, limit)).toBe(true)
      }),
    )
  })
})

describe('formatUsd and formatLimit, for people', () => {
  it.each([
    [3, '$3.00'],
    [0, '$0.00'],
    [2.5, '$2.50'],
    [12.345, '$12.345'],
    [0.0123, '$0.0123'],
    [100, '$100.00'],
    [1234567.8, '$1234567.80'],
  ])('%d is %s', (usd, text) => {
    expect(formatUsd(usd)).toBe(text)
    expect(formatLimit(usd)).toBe(text)
  })

  it('shows no limit as a word', () => expect(formatLimit(null)).toBe('unlimited'))

  it('shows what reads back as the same amount, to a hundredth of a cent', () => {
    const shown = fc.integer({ min: 0, max: 10_000_000_000 }).map((n) => n / 10_000)
    fc.assert(
      fc.property(shown, (usd) => {
        expect(sameLimit(parseUsd(formatUsd(usd)) ?? null, usd)).toBe(true)
      }),
    )
  })
})
