import { describe, expect, it } from 'vitest'
import { type CheckFindings, checkReport, needsAttention } from '../../src/lib/core/check-report.js'
import type { KnownClass } from '../../src/lib/core/class-people.js'
import type { Key } from '../../src/lib/core/key.js'
import { matchKeys } from '../../src/lib/core/matching.js'
import type { Person } from '../../src/lib/core/student.js'
import { aCreation, aKey, aPerson } from './make.js'

const NOW = new Date('2026-03-02T00:00:00Z')
const ADA = aPerson({ email: 'ada@example.edu', mqId: '1' })
const BO = aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@FIXME.mq.edu.au', mqId: '2' })
const CY = aPerson({ firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '3' })

/** A ledger that knows whose some keys are, MQ IDs by hash, and who has been in the class. */
const knows = (heldBy: [string, string][] = [], people: Person[] = []): KnownClass => ({
  students: people,
  heldBy: new Map(heldBy),
  replaced: new Map(),
})
const report = (keys: Key[], people: Person[], over: Partial<CheckFindings> = {}) =>
  checkReport({
    keys,
    matching: matchKeys(keys, people, new Map(), NOW),
    now: NOW,
    known: knows(),
    secretHere: new Set(),
    rotations: [],
    creations: [],
    unguarded: new Set(),
    roster: people,
    drift: [],
    warnAt: undefined,
    ...over,
  })

it('tells who has which key, which keys are of nobody, and who is in doubt', () => {
  const keys = [
    aKey({ hash: 'web', name: 'the website', usage: 12.5, limit: null, limitRemaining: null }),
    aKey({ hash: 'bo', name: '20260219_Bo Reed_2', limitReset: 'weekly', usage: 1 }),
    aKey({ hash: 'a2', name: '20260219_Ada Quill_1', createdAt: '2026-03-01T00:00:00Z' }),
    aKey({ hash: 'a1', name: '20260219_Ada Quill_1', createdAt: '2026-02-01T00:00:00Z' }),
    aKey({ hash: 'a0', name: '20250219_Ada Quill_1', createdAt: '2025-02-01T00:00:00Z', disabled: true }),
  ]
  const { counts, ...told } = report(keys, [CY, ADA, BO], {
    secretHere: new Set(['bo', 'web']),
    creations: [CY, { ...CY }, ADA].map((person, i) =>
      aCreation({ id: i, student: person, keyName: `20260301_${i}` }),
    ),
  })
  expect(counts).toEqual({
    keys: 5,
    matched: 4,
    orphaned: 1,
    left: 0,
    unknown: 0,
    foreign: 1,
    keyless: 1,
    secretless: 3,
    expired: 0,
  })
  expect(told.matched.map(({ hash, status }) => [hash, status])).toEqual([
    ['a0', 'disabled'],
    ['a1', '2 keys'],
    ['a2', '2 keys'],
    ['bo', 'FIX EMAIL'],
  ])
  expect(told.matched.at(-1)).toStrictEqual({
    email: 'bo@FIXME.mq.edu.au',
    name: 'Bo Reed',
    mqId: '2',
    keyName: '20260219_Bo Reed_2',
    hash: 'bo',
    usage: 1,
    limit: 3,
    limitRemaining: 3,
    limitReset: 'weekly',
    disabled: false,
    expiresAt: null,
    expired: false,
    secretHere: true,
    status: 'FIX EMAIL',
  })
  expect(told.orphaned).toStrictEqual([
    { kind: 'foreign', keyName: 'the website', hash: 'web', usage: 12.5, limit: null, disabled: false },
  ])
  const cy = { email: 'cy@example.edu', name: 'Cy Ames', mqId: '3' }
  const ada = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }
  expect(told.keyless).toStrictEqual([cy])
  expect(told.duplicates).toStrictEqual([{ ...ada, hashes: ['a1', 'a2'] }])
  expect(told.inDoubt).toStrictEqual([cy, ada])
})

it.each([
  ['20260219_Ada Quill_1', true, 'left'],
  ['a name given in the dashboard', true, 'left'],
  ['20260219_Ada Quill_1', false, 'unknown'],
  ['the website', false, 'foreign'],
])('an orphan named %j, known to the ledger: %s, is %s', (name, isKnown, kind) => {
  const known = knows(isKnown ? [['h', '9']] : [])
  const { orphaned, counts } = report([aKey({ hash: 'h', name })], [], { known })
  expect(orphaned.map((key) => key.kind)).toEqual([kind])
  expect(counts).toMatchObject({ orphaned: 1, left: 0, unknown: 0, foreign: 0, [kind]: 1 })
})

it('counts a student whose keys have all expired among those without', () => {
  const old = aKey({ hash: 'old', name: '20250219_Ada Quill_1', expiresAt: '2026-03-01T23:59:59Z' })
  const told = report([old], [ADA])
  expect(told.keyless.map(({ mqId }) => mqId)).toEqual(['1'])
  expect(told.counts).toMatchObject({ matched: 1, keyless: 1, expired: 1 })
  expect(told.matched).toMatchObject([{ expired: true, status: 'expired' }])
})

it('names those past the mark once, and none whose key does not work', () => {
  const spent = { limit: 10, limitRemaining: 1 }
  const keys = [
    aKey({ hash: 'a1', name: '20260219_Ada Quill_1', ...spent }),
    aKey({ hash: 'a2', name: '20260220_Ada Quill_1', ...spent }),
    aKey({ hash: 'b', name: '20260219_Bo Reed_2', ...spent, disabled: true }),
    aKey({ hash: 'c', name: '20260219_Cy Ames_3', ...spent, expiresAt: '2026-03-01T00:00:00Z' }),
  ]
  const told = (warnAt: number | undefined) =>
    report(keys, [ADA, BO, CY], { warnAt }).pastMark.map(({ mqId }) => mqId)
  expect([told(90), told(91), told(undefined)]).toEqual([['1'], [], []])
})

describe('a creation in doubt', () => {
  const made = '2026-03-01T23:00:05Z'
  const creation = aCreation({
    student: CY,
    keyName: '20260302_Cy Ames_3',
    intendedAt: new Date('2026-03-01T23:00:00Z'),
  })
  const lost = aKey({ hash: 'lost', name: creation.keyName, createdAt: made })

  it('is told as long as it is open, and its key is not said to be made elsewhere', () => {
    const told = report([lost], [CY], { creations: [creation] })
    expect([told.inDoubt.map(({ mqId }) => mqId), told.counts.secretless]).toEqual([['3'], 0])
  })

  it('is told again where a key has turned up that the listing had not shown', () => {
    const absent = { ...creation, state: 'absent' as const }
    expect(report([], [CY], { creations: [absent] }).inDoubt).toEqual([])
    const told = report([lost], [CY], { creations: [absent] })
    expect([told.inDoubt.map(({ mqId }) => mqId), told.counts.secretless]).toEqual([['3'], 0])
  })
})

it('points out who seems to have a key under another MQ ID, but for placeholders', () => {
  const key = aKey({ hash: 'old', name: '20260219_Ada Quill_01' })
  const known = knows([['old', '01']], [{ ...ADA, mqId: '01' }])
  expect(report([key], [ADA, BO], { known }).secondKeys).toMatchObject([
    { mqId: '1', hash: 'old', because: 'address' },
  ])
})

it('tells a renamed key, and one without its guardrail', () => {
  const keys = [aKey({ hash: 'a', name: 'for the demo' }), aKey({ hash: 'c', name: '20260219_Cy Ames_3' })]
  const known = knows([['a', '1']])
  const matching = matchKeys(keys, [ADA, CY], known.heldBy, NOW)
  const { matched, counts } = report(keys, [ADA, CY], { known, matching, unguarded: new Set(['c']) })
  expect(matched.map(({ hash, status }) => [hash, status])).toEqual([
    ['a', 'renamed'],
    ['c', 'no guardrail'],
  ])
  expect(counts).toMatchObject({ matched: 2, orphaned: 0, keyless: 0 })
})

describe('needsAttention', () => {
  const ada = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1' }
  const change = { action: 'observed_gone', hash: 'h', keyName: 'n', oldValue: null, newValue: null }
  it.each([
    [{}, false],
    [{ drift: [change] }, true],
    [{ keyless: [ada] }, true],
    [{ pastMark: [ada] }, true],
  ])('%j: %s', (over, needs) => {
    expect(needsAttention({ drift: [], keyless: [], pastMark: [], ...over })).toBe(needs)
  })
})
