import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PlannedChange, UpdateKey } from '../../src/lib/core/changes.js'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import {
  assess,
  graveWords,
  MAX_CHANGE,
  massiveWords,
  needsYes,
  refuseMassive,
  type Safety,
} from '../../src/lib/core/safety.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '1', keyName: '20260219_Ada Quill_1' }

/** So many keys of a class, `h0` to `h9` and on; the last ones are disabled. */
const keys = (n: number, disabled = 0) =>
  Array.from({ length: n }, (_, i) => ({ hash: `h${i}`, disabled: i >= n - disabled }))

const update = (n: number, of: Pick<UpdateKey, 'limit' | 'disabled'>): PlannedChange => ({
  kind: 'update',
  ...ADA,
  hash: `h${n}`,
  refills: null,
  ...of,
})
const limit = (n: number, from: number | null, to: number | null) => update(n, { limit: { from, to } })
const disabled = (n: number, to: boolean) => update(n, { disabled: { from: !to, to } })
const plain = (kind: 'enable' | 'disable' | 'delete', n: number): PlannedChange => ({
  kind,
  ...ADA,
  hash: `h${n}`,
})
const create: PlannedChange = {
  kind: 'create',
  ...ADA,
  limit: null,
  limitReset: null,
  expiresAt: null,
  guardrail: null,
  replaces: null,
}
const deleteLost: PlannedChange = { kind: 'delete-lost', ...ADA, hash: 'h0', creationId: 1 }
const assign: PlannedChange = {
  kind: 'assign-guardrail',
  ...ADA,
  hash: 'h0',
  guardrail: { id: 'g', name: 'Small' },
}
const many = (n: number, change: (i: number) => PlannedChange) =>
  Array.from({ length: n }, (_, i) => change(i))

describe('the grade of one change, in a class of three', () => {
  it.each<[string, PlannedChange, Partial<Safety>]>([
    ['a creation', create, { grade: 'routine', hit: 0 }],
    ['a creation without a limit', { ...create, limit: null }, { grade: 'routine', unlimited: 0 }],
    ['a lost key that is deleted', deleteLost, { grade: 'routine', deleted: 0, hit: 0 }],
    ['a guardrail that is made up for', assign, { grade: 'routine', hit: 0 }],
    ['a limit raised', limit(0, 3, 5), { grade: 'routine', hit: 0 }],
    ['a limit raised from zero', limit(0, 0, 0.01), { grade: 'routine', hit: 0 }],
    ['a limit lowered', limit(0, 3, 2.99), { grade: 'routine', hit: 1 }],
    ['a limit lowered to zero', limit(0, 3, 0), { grade: 'routine', hit: 1 }],
    ['unlimited to a limit', limit(0, null, 500), { grade: 'routine', hit: 1, unlimited: 0 }],
    ['a limit to unlimited', limit(0, 3, null), { grade: 'grave', hit: 0, unlimited: 1 }],
    ['zero to unlimited', limit(0, 0, null), { grade: 'grave', hit: 0, unlimited: 1 }],
    ['disabled by update', disabled(0, true), { grade: 'routine', hit: 1, enabled: 0 }],
    ['enabled by update', disabled(0, false), { grade: 'grave', hit: 0, enabled: 1 }],
    ['enabled again', plain('enable', 0), { grade: 'grave', hit: 0, enabled: 1 }],
    ['disabled', plain('disable', 0), { grade: 'routine', hit: 1 }],
    ['deleted', plain('delete', 0), { grade: 'grave', hit: 1, deleted: 1 }],
    [
      'raised and disabled at once',
      update(0, { limit: { from: 3, to: 5 }, disabled: { from: false, to: true } }),
      { grade: 'routine', hit: 1 },
    ],
    [
      'lowered and enabled at once',
      update(0, { limit: { from: 3, to: 1 }, disabled: { from: true, to: false } }),
      { grade: 'grave', hit: 1, enabled: 1 },
    ],
  ])('%s', (_, change, expected) => {
    expect(assess([change], keys(3))).toMatchObject(expected)
  })

  it.each([
    [0, 'routine'],
    [1, 'grave'],
    [7, 'grave'],
  ] as const)('creations, of which %i are likely to be second keys: %s', (secondKeys, grade) => {
    expect(assess([create, create], keys(3), { secondKeys })).toMatchObject({ grade, secondKeys, hit: 0 })
  })

  it('a plan without changes is routine', () => {
    expect(assess([], [])).toEqual({
      grade: 'routine',
      unlimited: 0,
      enabled: 0,
      deleted: 0,
      secondKeys: 0,
      hit: 0,
      total: 0,
      maxChange: MAX_CHANGE,
    })
  })
})

describe('massive', () => {
  it.each<[string, boolean, PlannedChange[], number, number, number | undefined]>([
    ['4 of 10 disabled', true, many(4, (i) => disabled(i, true)), 10, 0, undefined],
    ['exactly 30%', false, many(3, (i) => disabled(i, true)), 10, 0, undefined],
    ['31 of 100', true, many(31, (i) => limit(i, 3, 1)), 100, 0, undefined],
    ['30 of 100', false, many(30, (i) => limit(i, 3, 1)), 100, 0, undefined],
    ['31 of 101', true, many(31, (i) => limit(i, 3, 1)), 101, 0, undefined],
    ['all of 9', false, many(9, (i) => limit(i, 3, 0)), 9, 0, undefined],
    ['all of 10', true, many(10, (i) => limit(i, 3, 0)), 10, 0, undefined],
    ['all of 10 raised', false, many(10, (i) => limit(i, 3, 30)), 10, 0, undefined],
    ['all of 10 unlimited', false, many(10, (i) => limit(i, 3, null)), 10, 0, undefined],
    ['a hundred creations', false, many(100, () => create), 10, 0, undefined],
    ['4 of 10 deleted', true, many(4, (i) => plain('delete', i)), 10, 0, undefined],
    ['4 of 10 limited for the first time', true, many(4, (i) => limit(i, null, 3)), 10, 0, undefined],
    [
      '2 + 2 of 10, of two kinds',
      true,
      [limit(0, 3, 1), limit(1, 3, 1), plain('disable', 2), plain('delete', 3)],
      10,
      0,
      undefined,
    ],
    [
      'the same 2 twice',
      false,
      [limit(0, 3, 1), plain('disable', 0), limit(1, 3, 1), plain('disable', 1)],
      10,
      0,
      undefined,
    ],
    [
      'those that are disabled already are nobody’s loss',
      true,
      many(4, (i) => disabled(i, true)),
      20,
      10,
      undefined,
    ],
    ['one of 10 at most 0%', true, [limit(0, 3, 1)], 10, 0, 0],
    ['none of 10 at most 0%', false, [limit(0, 3, 5)], 10, 0, 0],
    ['one of 9 at most 0%', false, [limit(0, 3, 1)], 9, 0, 0],
    ['all of 10 at most 100%', false, many(10, (i) => disabled(i, true)), 10, 0, 100],
    ['half of 10 at most 50%', false, many(5, (i) => disabled(i, true)), 10, 0, 50],
    ['6 of 10 at most 50%', true, many(6, (i) => disabled(i, true)), 10, 0, 50],
  ])('%s: %s', (_, massive, changes, all, off, maxChange) => {
    const safety = assess(changes, keys(all, off), { maxChange })
    expect(safety.grade === 'massive').toBe(massive)
    expect(safety.maxChange).toBe(maxChange ?? 30)
  })

  it('goes before grave, and keeps what is grave', () => {
    const changes = [...many(4, (i) => limit(i, 3, 1)), limit(9, 3, null)]
    expect(assess(changes, keys(10), { secondKeys: 2 })).toMatchObject({
      grade: 'massive',
      unlimited: 1,
      secondKeys: 2,
      hit: 4,
      total: 10,
    })
  })

  it('counts a disabled key among all where it is one of those that are hit', () => {
    expect(
      assess(
        many(10, (i) => plain('delete', i)),
        keys(10, 10),
      ),
    ).toMatchObject({
      grade: 'massive',
      hit: 10,
      total: 10,
    })
    expect(assess([plain('delete', 9)], keys(10, 5))).toMatchObject({ grade: 'grave', hit: 1, total: 6 })
  })
})

/** Any plan about some of so many keys, whatever sense it makes. */
const aClass = fc
  .record({
    size: fc.integer({ min: 0, max: 40 }),
    maxChange: fc.integer({ min: 0, max: 100 }),
    secondKeys: fc.constantFrom(0, 0, 1, 3),
  })
  .chain(({ size, maxChange, secondKeys }) => {
    const money = fc.option(fc.integer({ min: 0, max: 5 }), { nil: null })
    const one = fc
      .record({
        n: fc.integer({ min: 0, max: Math.max(0, size - 1) }),
        what: fc.integer({ min: 0, max: 5 }),
        from: money,
        to: money,
        on: fc.boolean(),
      })
      .map(({ n, what, from, to, on }): PlannedChange => {
        if (what === 0 || size === 0) return create
        if (what === 1) return plain('delete', n)
        if (what === 2) return plain('disable', n)
        if (what === 3) return plain('enable', n)
        return what === 4 ? limit(n, from, to) : disabled(n, on)
      })
    return fc.record({
      maxChange: fc.constant(maxChange),
      secondKeys: fc.constant(secondKeys),
      changes: fc.array(one, { maxLength: 60 }),
      all: fc
        .array(fc.boolean(), { minLength: size, maxLength: size })
        .map((off) => off.map((each, i) => ({ hash: `h${i}`, disabled: each }))),
    })
  })

describe('of any plan', () => {
  it('the figures are possible, and the grade follows from them', () => {
    fc.assert(
      fc.property(aClass, ({ changes, all, maxChange, secondKeys }) => {
        const safety = assess(changes, all, { maxChange, secondKeys })
        const { grade, hit, total, unlimited, enabled, deleted } = safety
        expect(hit).toBeLessThanOrEqual(total)
        expect(total).toBeLessThanOrEqual(all.length)
        expect(total).toBeGreaterThanOrEqual(all.filter((key) => !key.disabled).length)
        if (grade === 'massive') {
          expect(all.length).toBeGreaterThanOrEqual(10)
          expect(hit / total).toBeGreaterThan(maxChange / 100)
        } else {
          if (all.length >= 10 && hit > 0) expect(hit / total).toBeLessThanOrEqual(maxChange / 100)
          expect(grade === 'grave').toBe(unlimited + enabled + deleted + secondKeys > 0)
          expect(graveWords(safety) !== '').toBe(grade === 'grave')
        }
      }),
    )
  })

  it('the order of the changes does not matter, nor do more creations', () => {
    fc.assert(
      fc.property(aClass, fc.nat(20), ({ changes, all, maxChange }, more) => {
        const safety = assess(changes, all, { maxChange })
        expect(assess([...changes].reverse(), all, { maxChange })).toEqual(safety)
        expect(assess([...changes, ...many(more, () => create)], all, { maxChange })).toEqual(safety)
      }),
    )
  })

  it('a higher --max-change never makes it massive', () => {
    fc.assert(
      fc.property(aClass, fc.integer({ min: 0, max: 100 }), ({ changes, all, maxChange }, other) => {
        const [low, high] = [Math.min(maxChange, other), Math.max(maxChange, other)]
        if (assess(changes, all, { maxChange: low }).grade !== 'massive')
          expect(assess(changes, all, { maxChange: high }).grade).not.toBe('massive')
        expect(assess(changes, all, { maxChange: 100 }).grade).not.toBe('massive')
      }),
    )
  })
})

const safe = (over: Partial<Safety> = {}): Safety => ({ ...assess([], []), ...over })

describe('in words', () => {
  it.each<[Partial<Safety>, string]>([
    [{}, ''],
    [{ hit: 3, total: 9 }, ''],
    [{ unlimited: 1 }, 'lifts the limit of 1 key'],
    [{ enabled: 2 }, 'enables 2 keys'],
    [{ deleted: 1 }, 'deletes 1 key for good'],
    [{ secondKeys: 1 }, 'makes a second key for a student whose MQ ID has changed'],
    [{ secondKeys: 3 }, 'makes second keys for 3 students whose MQ ID has changed'],
    [
      { secondKeys: 1, enabled: 1 },
      'makes a second key for a student whose MQ ID has changed and enables 1 key',
    ],
    [
      { secondKeys: 2, unlimited: 1, deleted: 1 },
      'makes second keys for 2 students whose MQ ID has changed, lifts the limit of 1 key and deletes 1 key for good',
    ],
    [{ unlimited: 2, deleted: 3 }, 'lifts the limit of 2 keys and deletes 3 keys for good'],
    [
      { unlimited: 1, enabled: 2, deleted: 3 },
      'lifts the limit of 1 key, enables 2 keys and deletes 3 keys for good',
    ],
  ])('%j is grave: %j', (over, words) => {
    expect(graveWords(safe(over))).toBe(words)
  })

  it.each([
    [12, 20, '12 of 20 keys (60%)'],
    [4, 10, '4 of 10 keys (40%)'],
    [1, 1, '1 of 1 key (100%)'],
    [4, 12, '4 of 12 keys (33%)'],
    // A share that is over the mark is not told as if it were on it.
    [31, 102, '31 of 102 keys (30.4%)'],
    [301, 1000, '301 of 1000 keys (30.1%)'],
    [3001, 10_000, '3001 of 10000 keys (30.1%)'],
  ])('%i of %i', (hit, total, words) => {
    expect(massiveWords(safe({ grade: 'massive', hit, total }))).toBe(`disables, deletes or lowers ${words}`)
  })
})

describe('needsYes', () => {
  it.each<[string, Partial<Safety>, boolean, boolean, boolean]>([
    ['routine', {}, false, false, false],
    ['routine, where even that is asked about', {}, false, true, true],
    ['routine with --yes', {}, true, true, false],
    ['grave', { grade: 'grave', unlimited: 1 }, false, false, true],
    ['grave: second keys', { grade: 'grave', secondKeys: 1 }, false, false, true],
    ['grave with --yes', { grade: 'grave', deleted: 1 }, true, false, false],
    ['massive alone', { grade: 'massive', hit: 4, total: 10 }, false, false, false],
    ['massive and grave', { grade: 'massive', hit: 4, total: 10, enabled: 1 }, false, false, true],
  ])('%s', (_, over, yes, always, asks) => {
    expect(needsYes(safe(over), { yes, force: true }, always)).toBe(asks)
  })
})

describe('refuseMassive', () => {
  const massive = safe({ grade: 'massive', hit: 4, total: 10, maxChange: 25 })
  const refusal = (safety: Safety, agreed: { yes: boolean; force: boolean }) => {
    try {
      refuseMassive(safety, agreed)
    } catch (error) {
      if (error instanceof ClassKeysError) return error
      throw error
    }
    return undefined
  }

  it('names count, total, share and what overrides it', () => {
    expect(refusal(massive, { yes: false, force: false })).toMatchObject({
      code: 'too_many_changes',
      exitCode: 4,
      message:
        'This plan disables, deletes or lowers 4 of 10 keys (40%), and more than 25% is refused. Nothing was changed. Look at the plan; if it is what you want, run the same command with --force, or with a higher --max-change.',
    })
  })

  it('--yes is not enough; --force is, and nothing else is refused', () => {
    expect(refusal(massive, { yes: true, force: false })?.exitCode).toBe(4)
    expect(refusal(massive, { yes: false, force: true })).toBeUndefined()
    for (const grade of ['routine', 'grave'] as const)
      expect(refusal({ ...massive, grade }, { yes: false, force: false })).toBeUndefined()
  })
})
