import { describe, expect, it } from 'vitest'
import type { FoundTarget } from '../../src/lib/core/find-targets.js'
import type { Target } from '../../src/lib/core/limits.js'
import { type RelativeTarget, relativeTargets } from '../../src/lib/core/relative-targets.js'
import { assess } from '../../src/lib/core/safety.js'
import { planUpdate } from '../../src/lib/core/update-plan.js'
import { aKey, aTarget } from './make.js'

const WHO = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '48200001' }
const target = (over: Partial<Target>) => aTarget({ ...WHO, keyName: 'an old name', ...over })
const found = (wants: Partial<Target>, is = {}): FoundTarget => ({ target: target(wants), key: aKey(is) })

/** The plan of rows where nothing is written down for relative targets, unless said otherwise. */
const plan = (
  rows: readonly FoundTarget[],
  relative: readonly RelativeTarget[] = relativeTargets(rows, []),
) => planUpdate(rows, relative, [], undefined)

describe('planUpdate', () => {
  it.each([
    [{ limit: 5 }, { limit: 3 }, { limit: { from: 3, to: 5 } }],
    [{ limit: 0 }, { limit: 3 }, { limit: { from: 3, to: 0 } }],
    [{ limit: 0 }, { limit: null }, { limit: { from: null, to: 0 } }],
    [{ limit: null }, { limit: 3 }, { limit: { from: 3, to: null } }],
    [{ limit: null }, { limit: 0 }, { limit: { from: 0, to: null } }],
    [{ disabled: true }, { disabled: false }, { disabled: { from: false, to: true } }],
    [{ disabled: false }, { disabled: true }, { disabled: { from: true, to: false } }],
    [
      { limit: 5, disabled: true },
      { limit: 3, disabled: false },
      { limit: { from: 3, to: 5 }, disabled: { from: false, to: true } },
    ],
    [
      { limitReset: 'daily' },
      { limitReset: null },
      { limitReset: { from: null, to: 'daily' }, refills: 'daily' },
    ],
    [{ limitReset: null }, { limitReset: 'weekly' }, { limitReset: { from: 'weekly', to: null } }],
    [
      { limit: 5, disabled: true, limitReset: 'monthly' },
      { limit: 3, disabled: false, limitReset: 'daily' },
      {
        limit: { from: 3, to: 5 },
        disabled: { from: false, to: true },
        limitReset: { from: 'daily', to: 'monthly' },
        refills: 'monthly',
      },
    ],
    // A limit that refills is told as one, also where its period stays.
    [{ limit: 5 }, { limit: 3, limitReset: 'weekly' }, { limit: { from: 3, to: 5 }, refills: 'weekly' }],
    [
      { limit: 5, limitReset: 'daily' },
      { limit: 3, limitReset: 'daily' },
      { limit: { from: 3, to: 5 }, refills: 'daily' },
    ],
    [
      { limit: 5, limitReset: null },
      { limit: 3, limitReset: 'daily' },
      { limit: { from: 3, to: 5 }, limitReset: { from: 'daily', to: null }, refills: null },
    ],
    [
      { disabled: true },
      { disabled: false, limitReset: 'monthly' },
      { disabled: { from: false, to: true }, refills: 'monthly' },
    ],
    [{ limit: { add: 5 } }, { limit: 3 }, { limit: { from: 3, to: 8 } }],
    [{ limit: { add: 0.2 } }, { limit: 0.1 }, { limit: { from: 0.1, to: 0.3 } }],
    [
      { limit: { add: 5 }, disabled: true },
      { limit: 0, disabled: false },
      { limit: { from: 0, to: 5 }, disabled: { from: false, to: true } },
    ],
    // One request with what differs, and nothing else.
    [{ limit: 3, disabled: true }, { limit: 3, disabled: false }, { disabled: { from: false, to: true } }],
    [{ limit: 5, disabled: false }, { limit: 3, disabled: false }, { limit: { from: 3, to: 5 } }],
  ] as [Partial<Target>, object, object][])('%j, where it is %j', (wants, is, change) => {
    const { changes, unchanged } = plan([found(wants, is)])
    const { name: keyName, hash } = aKey()
    expect(changes).toStrictEqual([{ kind: 'update', ...WHO, keyName, hash, refills: null, ...change }])
    expect(unchanged).toBe(0)
  })

  it.each([
    [{}, { limit: 3 }],
    [{ limit: 3 }, { limit: 3 }],
    [{ limit: 0.3 }, { limit: 0.1 + 0.2 }],
    [{ limit: null }, { limit: null }],
    [{ limit: 0 }, { limit: 0 }],
    [{}, { limitReset: 'daily' }],
    [{ limitReset: null }, { limitReset: null }],
    [{ limitReset: 'daily' }, { limitReset: 'daily' }],
    [{ disabled: true }, { disabled: true }],
    [
      { limit: null, disabled: false },
      { limit: null, disabled: false },
    ],
  ] as [Partial<Target>, object][])('%j, where it is %j: nothing', (wants, is) => {
    expect(plan([found(wants, is)])).toEqual({
      version: 1,
      command: 'update',
      changes: [],
      unchanged: 1,
      unmatched: [],
      safety: assess([], []),
    })
  })

  it('takes what a relative target has come to before', () => {
    const more = found({ limit: { add: 5 } }, { limit: 3 })
    const relative = [{ hash: aKey().hash, written: '+5', target: 7.5 }]
    expect(plan([more], relative).changes).toMatchObject([{ limit: { from: 3, to: 7.5 } }])
    const reached = found({ limit: { add: 5 } }, { limit: 7.5 })
    expect(plan([reached], relative)).toMatchObject({ changes: [], unchanged: 1, unmatched: [] })
  })

  it('leaves a key without a limit alone where something is to be added, and goes on with the rest', () => {
    const written = { limit: '+5', disabled: 'true', limitReset: '' }
    const { changes, unchanged, unmatched } = plan([
      found({ line: 2, hash: 'a', limit: { add: 5 }, disabled: true, written }, { hash: 'a', limit: null }),
      found({ line: 3, limit: { add: 5 }, written }, { hash: 'b', limit: 3 }),
    ])
    expect(unmatched).toEqual([
      {
        line: 2,
        email: WHO.email,
        name: WHO.name,
        hash: 'a',
        why: 'its key has no limit that +5 could be added to',
      },
    ])
    expect(changes.map(({ hash }) => hash)).toEqual(['b'])
    expect(unchanged).toBe(0)
  })

  it('tells which rows match no key, and goes on with the rest in the order of the file', () => {
    const { changes, unchanged, unmatched } = plan([
      {
        target: target({ line: 2, hash: 'x', limit: 9 }),
        key: undefined,
        why: 'line 1 is about the same key',
      },
      found({ limit: 5 }, { hash: 'b' }),
      { target: target({ line: 4 }), key: undefined },
      found({ limit: 5 }, { hash: 'a' }),
      found({ limit: 3 }),
    ])
    expect(changes.map(({ hash }) => hash)).toEqual(['b', 'a'])
    expect(unchanged).toBe(1)
    expect(unmatched).toEqual([
      { line: 2, email: WHO.email, name: WHO.name, hash: 'x', why: 'line 1 is about the same key' },
      { line: 4, email: WHO.email, name: WHO.name, hash: '', why: 'no such key' },
    ])
  })

  describe('a row of a key that was replaced by a newer one', () => {
    const why = 'its key was replaced by a newer one, which has a row of its own'
    const old = (wants: Partial<Target>) => ({ ...found(wants, { hash: 'old' }), why, replaced: true })

    it.each<[string, FoundTarget]>([
      ['the key being there', old({ hash: 'old' })],
      ['the key being gone', { ...old({ hash: 'old' }), key: undefined }],
    ])('that asks for nothing is not spoken of, %s', (_, row) => {
      expect(plan([row])).toMatchObject({ changes: [], unchanged: 1, unmatched: [] })
    })

    it.each<[string, Partial<Target>]>([
      ['a limit', { limit: 5 }],
      ['a limit of zero', { limit: 0 }],
      ['no limit', { limit: null }],
      ['to be enabled', { disabled: false }],
      ['no reset', { limitReset: null }],
    ])('that asks for %s is told of, and nothing is done for it', (_, wants) => {
      const { line, email, name } = target({})
      expect(plan([old({ ...wants, hash: 'old' })])).toMatchObject({
        changes: [],
        unchanged: 0,
        unmatched: [{ line, email, name, hash: 'old', why }],
      })
    })
  })

  it.each([
    [undefined, 'massive', 30],
    [40, 'routine', 40],
    [39, 'massive', 39],
  ] as const)('lowering 4 of 10 keys at most %s percent: %s', (maxChange, grade, inForce) => {
    const keys = Array.from({ length: 10 }, (_, i) => aKey({ hash: `h${i}` }))
    const rows = keys.slice(0, 4).map((key) => ({ target: target({ limit: 1 }), key }))
    expect(planUpdate(rows, [], keys, maxChange).safety).toMatchObject({
      grade,
      hit: 4,
      total: 10,
      maxChange: inForce,
    })
  })
})
