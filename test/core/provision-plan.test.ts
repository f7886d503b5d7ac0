import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  keyRequest,
  missingBudgets,
  type ProvisionInput,
  planProvision,
  spendingOf,
  studentRef,
} from '../../src/lib/core/provision-plan.js'
import { aCreation, aKey, aStudent } from './make.js'

const ADA = aStudent({ email: 'ada@example.edu', mqId: '1', budget: 3 })
const BO = aStudent({
  line: 3,
  firstName: 'Bo',
  lastName: 'Reed',
  email: 'bo@example.edu',
  mqId: 'b2',
  budget: 2.5,
  limitReset: 'weekly',
})
const TODAY = new Date(2026, 1, 19, 12)
const LOST = '20260219_Ada Quill_1'

const plan = (over: Partial<ProvisionInput> = {}) =>
  planProvision({
    students: [ADA, BO],
    placeholders: [],
    keys: [],
    creations: [],
    secretHere: new Set(),
    limit: undefined,
    today: TODAY,
    ...over,
  })
const adas = (over = {}) => aKey({ name: '20260101_Ada Quill_1', ...over })

describe('planProvision', () => {
  it('makes one key for each student, in the order of the roster', () => {
    expect(plan({ students: [BO, ADA] })).toStrictEqual({
      version: 1,
      command: 'provision',
      changes: [
        {
          kind: 'create',
          email: 'bo@example.edu',
          name: 'Bo Reed',
          mqId: 'b2',
          keyName: '20260219_Bo Reed_b2',
          limit: 2.5,
          limitReset: 'weekly',
          expiresAt: null,
          guardrail: null,
          replaces: null,
        },
        {
          kind: 'create',
          email: 'ada@example.edu',
          name: 'Ada Quill',
          mqId: '1',
          keyName: '20260219_Ada Quill_1',
          limit: 3,
          limitReset: null,
          expiresAt: null,
          guardrail: null,
          replaces: null,
        },
      ],
      keyHolders: [],
      renamed: [],
      leftAlone: [],
      absent: [],
      undone: [],
      placeholders: [],
      spending: [
        { reset: 'weekly', limit: 2.5 },
        { reset: null, limit: 3 },
      ],
      balance: null,
      safety: {
        grade: 'routine',
        unlimited: 0,
        enabled: 0,
        deleted: 0,
        hit: 0,
        total: 0,
        maxChange: 30,
      },
    })
  })

  it.each([
    [undefined, 2.5],
    [0, 0],
    [7, 7],
  ])('--limit %s gives a limit of %d where the roster says 2.5', (limit, given) => {
    expect(plan({ students: [BO], limit }).changes).toMatchObject([{ limit: given }])
  })

  it('gives a limit of zero where the roster says zero', () => {
    expect(plan({ students: [aStudent({ budget: 0 })] }).changes).toMatchObject([{ limit: 0 }])
  })

  it.each([
    ['an enabled key', [adas({ hash: 'h' })]],
    ['a disabled key', [adas({ hash: 'h', disabled: true })]],
    ['a key from somewhere else', [adas({ hash: 'h', name: '19991231_whoever_1', usage: 5 })]],
    ['two keys', [adas({ hash: 'h' }), adas({ hash: 'h2', disabled: true })]],
  ])('makes no key for a student with %s', (_, keys) => {
    const { changes, keyHolders } = plan({ students: [ADA], keys })
    expect(changes).toEqual([])
    expect(keyHolders).toEqual([
      { ...studentRef(ADA), hashes: keys.map(({ hash }) => hash), secretHere: false },
    ])
  })

  it('makes none for a student whose ID the key’s name has in another case', () => {
    expect(plan({ students: [BO], keys: [aKey({ name: '20260101_Bo Reed_B2' })] }).changes).toEqual([])
  })

  it('makes a key for a student whose keys have all expired', () => {
    const expired = adas({ hash: 'old', expiresAt: TODAY.toISOString(), limit: 50 })
    const { changes, keyHolders, spending } = plan({ students: [ADA], keys: [expired] })
    expect(changes).toMatchObject([{ kind: 'create', mqId: '1' }])
    expect(keyHolders).toEqual([])
    expect(spending).toEqual([{ reset: null, limit: 3 }])
    const both = [expired, adas({ hash: 'new', expiresAt: '2026-11-30T23:59:59Z' })]
    expect(plan({ students: [ADA], keys: both }).changes).toEqual([])
  })

  it.each([
    [[], false],
    [['h1'], true],
    [['h2'], true],
    [['elsewhere'], false],
  ])('secrets of %j here: the student’s is here: %s', (hashes, secretHere) => {
    const keys = [adas({ hash: 'h1' }), adas({ hash: 'h2', disabled: true })]
    expect(plan({ keys, secretHere: new Set(hashes) }).keyHolders).toMatchObject([{ secretHere }])
  })

  describe('a key that was given another name', () => {
    const renamed = aKey({ hash: 'h', name: 'for the demo' })
    const heldBy = new Map([['h', 'B2']])

    it('is still its student’s, who gets no other', () => {
      const { changes, keyHolders, renamed: told } = plan({ students: [BO], keys: [renamed], heldBy })
      expect(changes).toEqual([])
      expect(keyHolders).toEqual([{ ...studentRef(BO), hashes: ['h'], secretHere: false }])
      expect(told).toEqual([{ ...studentRef(BO), keyName: 'for the demo', hash: 'h' }])
      const { keyHolders: known } = plan({
        students: [BO],
        keys: [renamed],
        heldBy,
        secretHere: new Set(['h']),
      })
      expect(known).toMatchObject([{ secretHere: true }])
    })

    it.each([
      ['disabled', { ...renamed, disabled: true }, 0],
      ['expired', { ...renamed, expiresAt: TODAY.toISOString() }, 1],
      ['of nobody whom the ledger knows', { ...renamed, hash: 'other' }, 1],
      ['named like another student’s', { ...renamed, name: '20260101_Cy Ames_3' }, 0],
    ])('%s', (_, key, made) => {
      expect(plan({ students: [BO], keys: [key], heldBy }).changes).toHaveLength(made)
    })

    it('is not told of a student who has a key of the right name beside it', () => {
      const right = aKey({ hash: 'r', name: '20260101_Bo Reed_b2' })
      const { renamed: told, keyHolders } = plan({ students: [BO], keys: [renamed, right], heldBy })
      expect(told).toEqual([])
      expect(keyHolders).toMatchObject([{ hashes: ['r'] }])
    })
  })

  it('names the students with a placeholder, and makes nothing for them', () => {
    const cy = aStudent({ firstName: 'Cy', email: 'cy@FIXME.mq.edu.au', mqId: '3' })
    const { placeholders, changes } = plan({ students: [], placeholders: [cy] })
    expect(placeholders).toEqual([{ email: 'cy@FIXME.mq.edu.au', name: 'Cy Quill', mqId: '3' }])
    expect(changes).toEqual([])
  })

  describe('heals', () => {
    const creation = aCreation({ id: 7, student: ADA, keyName: LOST })
    const lost = aKey({ hash: 'lost', name: LOST })

    it('deletes the lost key first, and makes another', () => {
      const { changes, keyHolders } = plan({ students: [BO, ADA], creations: [creation], keys: [lost] })
      expect(changes.map(({ kind, mqId }) => [kind, mqId])).toEqual([
        ['delete-lost', '1'],
        ['create', 'b2'],
        ['create', '1'],
      ])
      expect(changes[0]).toStrictEqual({
        kind: 'delete-lost',
        email: 'ada@example.edu',
        name: 'Ada Quill',
        mqId: '1',
        keyName: LOST,
        hash: 'lost',
        creationId: 7,
      })
      expect(keyHolders).toEqual([])
    })

    it('makes none for a student who has another key beside the lost one', () => {
      const { changes, keyHolders } = plan({
        students: [ADA],
        creations: [creation],
        keys: [lost, adas({ hash: 'kept' })],
      })
      expect(changes.map(({ kind }) => kind)).toEqual(['delete-lost'])
      expect(keyHolders).toMatchObject([{ hashes: ['kept'] }])
    })

    it('leaves a key that has been used alone, and makes no other for that student', () => {
      const { changes, leftAlone } = plan({ creations: [creation], keys: [{ ...lost, usage: 0.01 }] })
      expect(changes.map(({ mqId }) => mqId)).toEqual(['b2'])
      expect(leftAlone).toEqual([
        {
          ...studentRef(ADA),
          keyName: LOST,
          hashes: ['lost'],
          why: 'the key that was being made has been used by somebody',
        },
      ])
    })

    it('makes none while in doubt, although the key’s name would not match the student', () => {
      const others = { ...ADA, mqId: 'B2', email: 'bo.before@example.edu' }
      const doubtful = aCreation({ student: others, keyName: 'x' })
      const keys = [aKey({ name: 'x', hash: 'x1' }), aKey({ name: 'x', hash: 'x2' })]
      expect(plan({ students: [BO], creations: [doubtful], keys }).changes).toEqual([])
    })

    it('takes a creation that made nothing for what it is', () => {
      const { changes, absent } = plan({ students: [ADA], creations: [creation] })
      expect(absent).toEqual([7])
      expect(changes).toMatchObject([{ kind: 'create', mqId: '1' }])
    })

    it('takes note of a lost key that an earlier run has deleted', () => {
      const undoing = { ...creation, state: 'undoing', keyHash: 'lost' } as const
      const { changes, undone } = plan({ students: [ADA], creations: [undoing] })
      expect(undone).toEqual([7])
      expect(changes.map(({ kind }) => kind)).toEqual(['create'])
    })
  })

  it('adds up what the class may spend: enabled keys and planned ones, not the lost and disabled', () => {
    const keys = [
      adas({ hash: 'lost', name: LOST, limit: 100 }),
      aKey({ hash: 'off', name: '20260101_Cy Ames_3', limit: 50, disabled: true }),
      aKey({ hash: 'on', name: '20260101_Di Bell_4', limit: 0.1, limitReset: 'weekly' }),
      aKey({ hash: 'orphan', name: 'the website', limit: 1000 }),
    ]
    const students = [ADA, BO, aStudent({ mqId: '3' }), aStudent({ mqId: '4' })]
    const creations = [aCreation({ student: ADA, keyName: LOST })]
    expect(plan({ students, keys, creations }).spending).toEqual([
      { reset: 'weekly', limit: 2.6 },
      { reset: null, limit: 3 },
    ])
  })

  it('never gives a key to somebody who has one, nor two to anybody', () => {
    const student = fc.record({
      mqId: fc.constantFrom('1', 'b2', '3', '4'),
      has: fc.boolean(),
      disabled: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.uniqueArray(student, { selector: (s) => s.mqId }), (class_) => {
        const students = class_.map(({ mqId }) => aStudent({ mqId, email: `${mqId}@example.edu` }))
        const keys = class_
          .filter(({ has }) => has)
          .map(({ mqId, disabled }) => aKey({ hash: mqId, name: `20260101_A B_${mqId}`, disabled }))
        const made = plan({ students, keys }).changes.map(({ mqId }) => mqId)
        expect(made).toEqual(class_.filter(({ has }) => !has).map(({ mqId }) => mqId))
      }),
    )
  })
})

describe('missingBudgets', () => {
  const poor = aStudent({
    line: 5,
    firstName: 'Cy',
    lastName: 'Ames',
    email: 'cy@example.edu',
    mqId: '3',
    budget: undefined,
  })
  const poorToo = { ...poor, line: 6, firstName: 'Di', email: 'di@example.edu', mqId: '4' }
  const students = [ADA, poor, poorToo]

  it('names every student who would get a key without a budget', () => {
    expect(missingBudgets(plan({ students }), students, undefined)).toEqual([
      { line: 5, column: 'budget', message: 'is empty: Cy Ames (cy@example.edu)' },
      { line: 6, column: 'budget', message: 'is empty: Di Ames (di@example.edu)' },
    ])
  })

  it.each([0, 5])('has nothing to say with --limit %d', (limit) => {
    expect(missingBudgets(plan({ students, limit }), students, limit)).toEqual([])
  })

  it('has nothing to say of a student who has a key, or of a budget of zero', () => {
    const keys = [aKey({ name: '20260101_Cy Ames_3' }), aKey({ name: '20260101_Di Ames_4' })]
    const zero = aStudent({ mqId: '9', budget: 0 })
    const all = [...students, zero]
    expect(missingBudgets(plan({ students: all, keys }), all, undefined)).toEqual([])
  })
})

describe('spendingOf', () => {
  it.each([
    [[], []],
    [[{ limit: 0, limitReset: null }], [{ reset: null, limit: 0 }]],
    [
      [
        { limit: 1, limitReset: null },
        { limit: null, limitReset: null },
        { limit: 0.1, limitReset: 'daily' },
        { limit: 0.2, limitReset: 'daily' },
        { limit: 4, limitReset: 'monthly' },
      ] as const,
      [
        { reset: 'daily', limit: 0.3 },
        { reset: 'monthly', limit: 4 },
        { reset: null, limit: null },
      ],
    ],
  ])('%j', (keys, spending) => expect(spendingOf(keys)).toEqual(spending))
})

it('asks for what was planned, for the student that the plan names', () => {
  const [change] = plan({ students: [BO] }).changes
  if (change?.kind !== 'create') throw new Error('the plan should make a key')
  expect(keyRequest(change, new Map([['b2', BO]]))).toEqual({
    student: BO,
    keyName: '20260219_Bo Reed_b2',
    limit: 2.5,
    limitReset: 'weekly',
    expiresAt: null,
    guardrail: null,
    replaces: null,
  })
  expect(() => keyRequest(change, new Map())).toThrow('b2')
})
