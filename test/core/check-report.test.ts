import { describe, expect, it } from 'vitest'
import { type CheckFindings, checkReport, needsAttention } from '../../src/lib/core/check-report.js'
import type { Key } from '../../src/lib/core/key.js'
import { matchKeys } from '../../src/lib/core/matching.js'
import type { Person } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

const NOW = new Date('2026-03-02T00:00:00Z')
const ADA = aPerson({ email: 'ada@example.edu', mqId: '1' })
const BO = aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@FIXME.mq.edu.au', mqId: '2' })
const CY = aPerson({ firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '3' })

const report = (keys: Key[], people: Person[], over: Partial<CheckFindings> = {}) =>
  checkReport({
    keys,
    matching: matchKeys(keys, people, new Map(), NOW),
    now: NOW,
    known: new Set(),
    secretHere: new Set(),
    inDoubt: [],
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
    inDoubt: [CY, { ...CY }, ADA],
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
  const known = new Set(isKnown ? ['h'] : [])
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
