import { describe, expect, it, vi } from 'vitest'
import {
  filterHistory,
  type HistoryEntry,
  historyLine,
  isMeant,
  parseLedgerTime,
  parseSince,
  sentence,
} from '../../src/lib/core/history.js'

const ADA = { email: 'Ada@example.edu', name: 'Ada Quill', mqId: 'A1' }
const BO = { email: 'bo@example.edu', name: 'Bo Reed', mqId: 'b2' }

const entry = (over: Partial<HistoryEntry> = {}): HistoryEntry => ({
  id: 1,
  at: new Date('2026-02-19T10:00:00Z'),
  atText: '2026-02-19T10:00:00Z',
  action: 'update_limit',
  oldValue: '3.00',
  newValue: '5.00',
  hash: 'h',
  keyName: '20260219_Ada Quill_A1',
  student: ADA,
  ...over,
})

it.each([
  ['ada@example.EDU', true],
  ['a1', true],
  ['QUILL', true],
  ['Ada Q', true],
  ['a', true],
  ['ada@example', false],
  ['', false],
  [' ', false],
  ['Bo', false],
])('%j means Ada: %s', (words, meant) => expect(isMeant(ADA, words)).toBe(meant))

describe('filterHistory', () => {
  const entries = [
    entry({ id: 1 }),
    entry({ id: 2, student: BO, at: new Date('2026-02-20T10:00:00Z') }),
    entry({ id: 3, student: null, action: 'provisioned' }),
  ]
  it.each([
    [{}, [3, 2, 1]],
    [{ student: 'ada' }, [1]],
    [{ since: new Date('2026-02-20T10:00:00Z') }, [2]],
    [{ since: new Date('2026-02-20T10:00:01Z') }, []],
    [{ action: 'provisioned' }, [3]],
    [{ action: 'update_limit', student: 'bo' }, [2]],
  ])('%j: %j', (filter, ids) => expect(filterHistory(entries, filter).map(({ id }) => id)).toEqual(ids))
})

it('tells an entry as a result, with or without a student', () => {
  const line = {
    at: '2026-02-19T10:00:00.000Z',
    action: 'update_limit',
    oldValue: '3.00',
    newValue: '5.00',
    keyName: '20260219_Ada Quill_A1',
    hash: 'h',
    sentence: 'the limit was changed from $3.00 to $5.00',
  }
  expect(historyLine(entry())).toStrictEqual({ ...line, ...ADA })
  expect(historyLine(entry({ student: null }))).toStrictEqual(line)
})

it('tells an entry whose time cannot be read with what stands in its place', () => {
  const line = historyLine(entry({ at: null, atText: 'x' }))
  expect(line).toMatchObject({ at: null, unreadableAt: 'x' })
  expect(historyLine(entry({ at: null, atText: '' }))).toMatchObject({ at: null, unreadableAt: '' })
})

it('does not show an entry whose time cannot be read as one since a day', () => {
  const entries = [entry({ at: null, atText: 'x' }), entry({ id: 2 })]
  expect(filterHistory(entries, {})).toHaveLength(2)
  expect(filterHistory(entries, { since: new Date(0) }).map(({ id }) => id)).toEqual([2])
})

it.each<[string, string | null, string | null, string]>([
  ['provisioned', null, '3.00', 'a key was made with a limit of $3.00'],
  ['provisioned', null, 'unlimited', 'a key was made with a limit of unlimited'],
  ['update_limit', '3.0', 'unlimited', 'the limit was changed from $3.00 to unlimited'],
  ['update_limit', 'None', '5', 'the limit was changed from None to $5.00'],
  ['observed_limit', '3', '0', 'the limit was changed from $3.00 to $0.00, not by class-keys'],
  ['update_disabled', 'false', 'true', 'the key was disabled'],
  ['update_disabled', 'True', 'False', 'the key was enabled'],
  ['update_disabled', '0', '1', 'the key was disabled'],
  ['observed_disabled', 'true', 'false', 'the key was enabled, not by class-keys'],
  [
    'observed_limit_reset',
    null,
    'weekly',
    'the reset period was changed from none to weekly, not by class-keys',
  ],
  ['update_limit_reset', 'daily', null, 'the reset period was changed from daily to none'],
  ['update_limit_reset', null, 'monthly', 'the reset period was changed from none to monthly'],
  ['observed_name', null, 'b', 'the key was named b, not by class-keys'],
  ['observed_name', 'a', 'b', 'the key was renamed from a to b, not by class-keys'],
  ['observed_gone', 'a', null, 'the key was removed from OpenRouter, not by class-keys'],
  ['assign_guardrail', null, 'Small models', 'the guardrail Small models was assigned'],
  ['replaced', 'a', 'b', 'a newer key was made in its place'],
  ['deleted_lost', 'a', null, 'a key whose secret had been lost was deleted'],
  ['revealed', null, null, 'the secret was shown on a screen'],
  ['something_new', null, 'x', 'something_new: nothing → x'],
])('%s from %s to %s: %s', (action, oldValue, newValue, text) => {
  expect(sentence({ action, oldValue, newValue })).toBe(text)
})

describe('parseLedgerTime', () => {
  it.each([
    ['2026-02-19T10:00:00.000+00:00', '2026-02-19T10:00:00.000Z'],
    ['2026-02-19T21:00:00+11:00', '2026-02-19T10:00:00.000Z'],
    ['2026-02-19T10:00:00Z', '2026-02-19T10:00:00.000Z'],
    // As Python's datetime.now() writes it: local time.
    ['2026-02-19T21:00:00.123456', '2026-02-19T10:00:00.123Z'],
    // As SQLite's CURRENT_TIMESTAMP writes it: UTC.
    ['2026-02-19 10:00:00', '2026-02-19T10:00:00.000Z'],
    ['2026-02-19 10:00', '2026-02-19T10:00:00.000Z'],
    ['2026-02-19 10:00:00.5', '2026-02-19T10:00:00.500Z'],
  ])('in Sydney, %s is %s', (text, moment) => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    expect(parseLedgerTime(text)?.toISOString()).toBe(moment)
  })

  it.each([
    '',
    'x',
    'x 1',
    '1',
    '1719800000',
    '1719800000.5',
    '2026',
    '20260219',
    '19/02/2026',
    '2026-13-01',
    '2026-02-19 x',
  ])('%j is no moment', (text) => expect(parseLedgerTime(text)).toBeUndefined())
})

describe('parseSince', () => {
  const NOW = new Date('2026-11-15T12:00:00Z')
  it.each([
    ['7d', '2026-11-08T12:00:00.000Z'],
    ['24h', '2026-11-14T12:00:00.000Z'],
    [' 0h ', '2026-11-15T12:00:00.000Z'],
    ['2026-11-01', '2026-10-31T13:00:00.000Z'],
    ['2026-11-01 09:30', '2026-10-31T22:30:00.000Z'],
    ['2026-11-01T09:30:00', '2026-10-31T22:30:00.000Z'],
    ['2026-11-01T09:30:00Z', '2026-11-01T09:30:00.000Z'],
  ])('in Sydney, %j is %s', (text, moment) => {
    vi.stubEnv('TZ', 'Australia/Sydney')
    expect(parseSince(text, NOW)?.toISOString()).toBe(moment)
  })

  it.each([
    '',
    'yesterday',
    '7',
    'd',
    '-7d',
    '7w',
    '1.5d',
    '2026-13-01',
    '2026-02-31',
    '01/11/2026',
    '2026-11-01 x',
    '2026-11-01 10:00 PM',
    '2026-11-01 25:00',
    '2026-11-01 10:00 UTC',
  ])('refuses %j', (text) => expect(parseSince(text, NOW)).toBeUndefined())
})
