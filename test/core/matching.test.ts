import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import { type HeldBy, isRenamed, matchKeys } from '../../src/lib/core/matching.js'
import type { Person } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

const ADA = aPerson({ email: 'ada@example.edu', mqId: '1' })
const BO = aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'Bo@example.edu', mqId: 'b2' })
const CY = aPerson({ firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '3' })

const named = (hash: string, name: string, over = {}) => aKey({ hash, name, ...over })

/** What comes of keys of which the ledger knows nothing, long before any of them is over, unless said otherwise. */
const match = (
  keys: readonly Key[],
  students: readonly Person[],
  { heldBy = new Map(), now = new Date('2026-02-20T00:00:00Z') }: { heldBy?: HeldBy; now?: Date } = {},
) => matchKeys(keys, students, heldBy, now)

describe('matchKeys', () => {
  it.each([
    ['20260219_Ada Quill_1', 'ada@example.edu'],
    ['20240101_Somebody Else_1', 'ada@example.edu'],
    ['20260219_Bo Reed_B2', 'Bo@example.edu'],
    ['20260219_Ada Quill_11', undefined],
    ['20260219_Ada Quill_01', undefined],
    ['Ada Quill_1', undefined],
    ['ada@example.edu', undefined],
    ['', undefined],
  ])('%j is of %s', (name, email) => {
    const key = named('h', name)
    const { matched, orphaned } = match([key], [ADA, BO])
    expect(matched.map(({ student }) => student.email)).toEqual(email ? [email] : [])
    expect(orphaned).toEqual(email ? [] : [key])
  })

  it.each<[string, string | undefined, string | undefined]>([
    ['the demo', '1', 'ada@example.edu'],
    ['', '1', 'ada@example.edu'],
    ['the demo', 'B2', 'Bo@example.edu'],
    ['the demo', undefined, undefined],
    ['the demo', '', undefined],
    ['the demo', '99', undefined],
    // Zeros tell two students apart.
    ['the demo', '01', undefined],
    // A name that is somebody's is believed: it may have been given on purpose.
    ['20260219_Bo Reed_b2', '1', 'Bo@example.edu'],
    // One that is of nobody in the class tells nothing.
    ['20260219_Some Body_99', '1', 'ada@example.edu'],
    ['20260219_Ada Quill_01', '1', 'ada@example.edu'],
  ])('%j, of %s by the ledger, is of %s', (name, mqId, email) => {
    const key = named('h', name)
    const heldBy = new Map(mqId === undefined ? [] : [['h', mqId]])
    const { matched, orphaned, keyless } = match([key], [ADA, BO], { heldBy })
    expect(matched.map(({ student }) => student.email)).toEqual(email ? [email] : [])
    expect(orphaned).toEqual(email ? [] : [key])
    expect(keyless).toHaveLength(email ? 1 : 2)
  })

  it('takes a renamed key for one of two', () => {
    const keys = [
      named('r', 'the demo', { createdAt: '2026-02-20T00:00:00Z' }),
      named('a', '20260219_Ada Quill_1', { createdAt: '2026-02-19T00:00:00Z' }),
    ]
    const { matched, duplicates } = match(keys, [ADA], { heldBy: new Map([['r', '1']]) })
    expect(matched.map(({ key }) => key.hash)).toEqual(['a', 'r'])
    expect(duplicates.map(({ keys: theirs }) => theirs.map(({ hash }) => hash))).toEqual([['a', 'r']])
  })

  it('sorts by address, and a student’s keys by age', () => {
    const keys = [
      named('cy', '20260219_Cy Ames_3'),
      named('bo', '20260219_Bo Reed_b2'),
      named('new', '20260219_Ada Quill_1', { createdAt: '2026-02-19T10:00:00Z' }),
      // Later as text, but earlier in time: half past nine in UTC.
      named('old', '20260219_Ada Quill_1', { createdAt: '2026-02-19T20:30:00+11:00' }),
    ]
    const { matched } = match(keys, [CY, BO, ADA])
    expect(matched.map(({ key }) => key.hash)).toEqual(['old', 'new', 'bo', 'cy'])
  })

  it('counts a disabled key as a key, but not towards two enabled ones', () => {
    const keys = [
      named('a1', '20260219_Ada Quill_1'),
      named('a2', '20260219_Ada Quill_1', { disabled: true }),
      named('b1', '20260219_Bo Reed_b2'),
      named('b2', '20260220_Bo Reed_b2'),
      named('c1', '20260219_Cy Ames_3', { disabled: true }),
    ]
    const { keyless, duplicates } = match(keys, [ADA, BO, CY])
    expect(keyless).toEqual([])
    expect(duplicates.map(({ student, keys: theirs }) => [student, theirs.map((k) => k.hash)])).toEqual([
      [BO, ['b1', 'b2']],
    ])
  })

  it('counts an expired key as none', () => {
    const now = new Date('2026-03-01T12:00:00Z')
    const expired = { expiresAt: '2026-03-01T12:00:00Z' }
    const keys = [
      named('a1', '20260219_Ada Quill_1', expired),
      named('b1', '20260219_Bo Reed_b2'),
      named('b2', '20260220_Bo Reed_b2', expired),
      named('c1', '20260219_Cy Ames_3', { expiresAt: '2026-03-01T12:00:01Z' }),
    ]
    const { matched, keyless, duplicates } = match(keys, [ADA, BO, CY], { now })
    expect(matched.map(({ key }) => key.hash)).toEqual(['a1', 'b1', 'b2', 'c1'])
    expect(keyless).toEqual([ADA])
    expect(duplicates).toEqual([])
    const before = new Date('2026-03-01T11:59:59Z')
    expect(match(keys, [ADA, BO, CY], { now: before }).keyless).toEqual([])
  })

  it('keeps students without a key in their order, and orphans in that of the listing', () => {
    const orphans = [named('z', 'z'), named('a', 'a')]
    const { keyless, orphaned } = match(orphans, [CY, ADA])
    expect(keyless).toEqual([CY, ADA])
    expect(orphaned).toEqual(orphans)
  })

  it('puts every key in one place, and every student with a key or without', () => {
    const mqIds = ['1', 'b2', '3', '4', '']
    const key = fc.record({ mqId: fc.constantFrom(...mqIds), disabled: fc.boolean() })
    const ledger = fc.array(
      fc.tuple(
        fc.nat(12).map((n) => `h${n}`),
        fc.constantFrom(...mqIds, 'B2', '99'),
      ),
    )
    fc.assert(
      fc.property(fc.array(key), fc.subarray([ADA, BO, CY]), ledger, (made, students, held) => {
        const keys = made.map(({ mqId, disabled }, i) =>
          named(`h${i}`, `20260219_Some Body_${mqId}`, { disabled }),
        )
        const result = match(keys, students, { heldBy: new Map(held) })
        const placed = [...result.matched.map((match) => match.key), ...result.orphaned]
        expect(placed.map((k) => k.hash).sort()).toEqual(keys.map((k) => k.hash).sort())
        const holders = new Set(result.matched.map((match) => match.student))
        expect([...holders, ...result.keyless].sort(byId)).toEqual([...students].sort(byId))
        for (const { student } of result.duplicates) {
          const enabled = result.matched.filter((match) => match.student === student && !match.key.disabled)
          expect(enabled.length).toBeGreaterThan(1)
        }
      }),
    )
  })
})

it.each([
  ['20260219_Ada Quill_1', ADA, false],
  ['20260219_Whoever Else_1', ADA, false],
  ['20260219_Bo Reed_B2', BO, false],
  ['20260219_Bo Reed_b2', ADA, true],
  ['20260219_Ada Quill_01', ADA, true],
  ['the demo', ADA, true],
  ['', ADA, true],
])('%j, of %o, is renamed: %s', (name, student, renamed) => {
  expect(isRenamed({ student, key: named('h', name) })).toBe(renamed)
})

const byId = (a: { mqId: string }, b: { mqId: string }) => (a.mqId < b.mqId ? -1 : 1)
