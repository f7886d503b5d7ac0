import { describe, expect, it } from 'vitest'
import type { FoundTarget, Target } from '../../src/lib/core/limits.js'
import { assess } from '../../src/lib/core/safety.js'
import { planUpdate } from '../../src/lib/core/update-plan.js'
import { aKey } from './make.js'

const WHO = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '48200001' }
const target = (over: Partial<Target>): Target => ({
  line: 2,
  ...WHO,
  limit: undefined,
  disabled: undefined,
  limitReset: undefined,
  keyName: 'an old name',
  hash: '',
  actualLimit: undefined,
  written: { limit: '', disabled: '', limitReset: '' },
  extra: new Map(),
  ...over,
})
const found = (wants: Partial<Target>, is = {}): FoundTarget => ({ target: target(wants), key: aKey(is) })

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
    [{ limitReset: 'daily' }, { limitReset: null }, { limitReset: { from: null, to: 'daily' } }],
    [{ limitReset: null }, { limitReset: 'weekly' }, { limitReset: { from: 'weekly', to: null } }],
    [
      { limit: 5, disabled: true, limitReset: 'monthly' },
      { limit: 3, disabled: false, limitReset: 'daily' },
      {
        limit: { from: 3, to: 5 },
        disabled: { from: false, to: true },
        limitReset: { from: 'daily', to: 'monthly' },
      },
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
    const { changes, unchanged } = planUpdate([found(wants, is)])
    const { name: keyName, hash } = aKey()
    expect(changes).toStrictEqual([{ kind: 'update', ...WHO, keyName, hash, ...change }])
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
    expect(planUpdate([found(wants, is)])).toEqual({
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
    expect(planUpdate([more], relative).changes).toMatchObject([{ limit: { from: 3, to: 7.5 } }])
    const reached = found({ limit: { add: 5 } }, { limit: 7.5 })
    expect(planUpdate([reached], relative)).toMatchObject({ changes: [], unchanged: 1, unmatched: [] })
  })

  it('leaves a key without a limit alone where something is to be added, and goes on with the rest', () => {
    const written = { limit: '+5', disabled: 'true', limitReset: '' }
    const plan = planUpdate([
      found({ line: 2, hash: 'a', limit: { add: 5 }, disabled: true, written }, { hash: 'a', limit: null }),
      found({ line: 3, limit: { add: 5 }, written }, { hash: 'b', limit: 3 }),
    ])
    expect(plan.unmatched).toEqual([
      {
        line: 2,
        email: WHO.email,
        name: WHO.name,
        hash: 'a',
        why: 'its key has no limit that +5 could be added to',
      },
    ])
    expect(plan.changes.map(({ hash }) => hash)).toEqual(['b'])
    expect(plan.unchanged).toBe(0)
  })

  it('tells which rows match no key, and goes on with the rest in the order of the file', () => {
    const plan = planUpdate([
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
    expect(plan.changes.map(({ hash }) => hash)).toEqual(['b', 'a'])
    expect(plan.unchanged).toBe(1)
    expect(plan.unmatched).toEqual([
      { line: 2, email: WHO.email, name: WHO.name, hash: 'x', why: 'line 1 is about the same key' },
      { line: 4, email: WHO.email, name: WHO.name, hash: '', why: 'no such key' },
    ])
  })
})
