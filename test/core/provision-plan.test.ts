import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { UpdateKey } from '../../src/lib/core/changes.js'
import { type ProvisionInput, planProvision } from '../../src/lib/core/provision-plan.js'
import { refuseOverBudget } from '../../src/lib/core/spending.js'
import { type Person, studentRef } from '../../src/lib/core/student.js'
import { aCreation, aKey, aPerson, aStudent } from './make.js'

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
const NOW = new Date(2026, 1, 19, 12)
const LOST = '20260219_Ada Quill_1'

/** The plan of a class of which the ledger knows nothing but whose some keys are, unless said otherwise. */
const plan = ({
  heldBy = new Map(),
  left = [],
  ...over
}: Partial<ProvisionInput> & { heldBy?: ReadonlyMap<string, string>; left?: Person[] } = {}) =>
  planProvision({
    students: [ADA, BO],
    placeholders: [],
    known: { students: left, heldBy, replaced: new Map() },
    keys: [],
    creations: [],
    secretHere: new Set(),
    limit: undefined,
    expiresAt: undefined,
    guardrail: null,
    unassigned: [],
    guardrails: new Map(),
    wrongTerms: [],
    offboarded: new Set(),
    heldDisabled: new Set(),
    balance: null,
    now: NOW,
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
      secondKeys: [],
      guardrailLeftOut: null,
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
        secondKeys: 0,
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
      {
        ...studentRef(ADA),
        hashes: keys.map(({ hash }) => hash),
        secretHere: false,
        disabled: keys.every(({ disabled }) => disabled),
      },
    ])
  })

  it('makes none for a student whose ID the key’s name has in another case', () => {
    expect(plan({ students: [BO], keys: [aKey({ name: '20260101_Bo Reed_B2' })] }).changes).toEqual([])
  })

  it('makes a key for a student whose keys have all expired', () => {
    const expired = adas({ hash: 'old', expiresAt: NOW.toISOString(), limit: 50 })
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
      expect(keyHolders).toEqual([{ ...studentRef(BO), hashes: ['h'], secretHere: false, disabled: false }])
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
      ['expired', { ...renamed, expiresAt: NOW.toISOString() }, 1],
      ['of nobody whom the ledger knows', { ...renamed, hash: 'other' }, 1],
      ['named like another student’s', { ...renamed, name: '20260101_Cy Ames_3' }, 0],
    ])('%s', (_, key, made) => {
      expect(plan({ students: [BO], keys: [key], heldBy }).changes).toHaveLength(made)
    })

    it('is told also of a student who has a key of the right name beside it', () => {
      const right = aKey({ hash: 'r', name: '20260101_Bo Reed_b2' })
      const { renamed: told, keyHolders, changes } = plan({ students: [BO], keys: [renamed, right], heldBy })
      expect(told).toEqual([{ ...studentRef(BO), keyName: 'for the demo', hash: 'h' }])
      expect(keyHolders).toMatchObject([{ hashes: ['h', 'r'] }])
      expect(changes).toEqual([])
    })
  })

  it('names the students with a placeholder, and makes nothing for them', () => {
    const cy = aStudent({ firstName: 'Cy', email: 'cy@FIXME.mq.edu.au', mqId: '3' })
    const { placeholders, changes } = plan({ students: [], placeholders: [cy] })
    expect(placeholders).toEqual([{ email: 'cy@FIXME.mq.edu.au', name: 'Cy Quill', mqId: '3' }])
    expect(changes).toEqual([])
  })

  describe('a student who seems to have a key under another MQ ID', () => {
    const before = aPerson({ email: 'ADA@example.edu', mqId: '77' })
    const theirs = aKey({ hash: 'h', name: '20260101_Ada Quill_77' })
    const heldBy = new Map([['h', '77']])

    it.each<[string, Person, string, string]>([
      ['address', { ...before, firstName: 'Adah' }, 'address', 'grave'],
      ['MQ ID but for zeros', { ...before, mqId: '001', email: 'x@example.edu' }, 'mq_id', 'grave'],
      ['name', { ...before, email: 'x@example.edu' }, 'name', 'routine'],
    ])('by the %s: is told, and the plan is as grave as that', (_, person, because, grade) => {
      const { changes, secondKeys, safety } = plan({
        students: [ADA],
        keys: [theirs],
        left: [person],
        heldBy: new Map([['h', person.mqId]]),
      })
      expect(changes).toMatchObject([{ kind: 'create', mqId: '1' }])
      expect(secondKeys).toEqual([{ ...studentRef(ADA), keyName: theirs.name, hash: 'h', because }])
      expect(safety).toMatchObject({ grade, secondKeys: grade === 'grave' ? 1 : 0 })
    })

    it.each<[string, Parameters<typeof plan>[0]]>([
      ['the other one is on the roster', { students: [ADA, aStudent({ mqId: '77' })] }],
      ['the other one is on it with a placeholder', { placeholders: [aStudent({ mqId: '77' })] }],
      ['the key does not work', { keys: [{ ...theirs, disabled: true }] }],
      ['the student has a key', { keys: [theirs, adas({ hash: 'own' })] }],
      [
        'the key is a lost one, which is deleted',
        {
          creations: [aCreation({ student: before, keyName: theirs.name, intendedAt: new Date(2026, 0, 1) })],
          keys: [{ ...theirs, createdAt: new Date(2026, 0, 1).toISOString() }],
        },
      ],
    ])('is not, where %s', (_, over) => {
      const { secondKeys, safety } = plan({
        students: [ADA],
        keys: [theirs],
        left: [before],
        heldBy,
        ...over,
      })
      expect([secondKeys, safety.secondKeys, safety.grade]).toEqual([[], 0, 'routine'])
    })
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

  it('adds up the keys of students who have left, too, as far as the ledger knows them', () => {
    const cy = aPerson({ firstName: 'Cy', lastName: 'Ames', email: 'cy@example.edu', mqId: '3' })
    const keys = [
      aKey({ hash: 'left', name: '20260101_Cy Ames_3', limit: 40 }),
      aKey({ hash: 'renamed', name: 'the demo', limit: 2, limitReset: 'daily' }),
      aKey({ hash: 'off', name: '20260101_Cy Ames_3', limit: 500, disabled: true }),
      aKey({ hash: 'over', name: '20260101_Cy Ames_3', limit: 500, expiresAt: NOW.toISOString() }),
      aKey({ hash: 'unknown', name: '20260101_Di Bell_4', limit: 500 }),
    ]
    const heldBy = new Map(['left', 'renamed', 'off', 'over'].map((hash) => [hash, '3']))
    expect(plan({ students: [], keys, heldBy, left: [cy] }).spending).toEqual([
      { reset: 'daily', limit: 2 },
      { reset: null, limit: 40 },
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

describe('what a new key is to have', () => {
  const YEAR_END = '2026-12-31T12:59:59Z'
  const TERM_END = '2026-11-30T12:59:59Z'
  const SMALL = { id: 'g1', name: 'Small models' }

  it.each([
    [undefined, undefined, null],
    [TERM_END, undefined, TERM_END],
    [undefined, YEAR_END, YEAR_END],
    [TERM_END, YEAR_END, YEAR_END],
  ])('the roster says %s, --expires %s: %s', (inRoster, expiresAt, expected) => {
    const { changes } = plan({ students: [aStudent({ expiresAt: inRoster })], expiresAt })
    expect(changes).toMatchObject([{ kind: 'create', expiresAt: expected }])
  })

  it('a guardrail, for new keys alone', () => {
    const { changes } = plan({ keys: [adas()], guardrail: SMALL })
    expect(changes).toMatchObject([{ kind: 'create', mqId: 'b2', guardrail: SMALL }])
  })

  it('a guardrail that a key of an earlier run has not got is made up for, also without the flag', () => {
    const keys = [adas({ hash: 'a' }), aKey({ hash: 'b', name: '20260101_Bo Reed_b2' })]
    const unassigned = [
      { hash: 'b', guardrail: SMALL },
      { hash: 'of-another-class', guardrail: SMALL },
    ]
    const { changes, keyHolders, safety } = plan({ keys, unassigned })
    expect(changes).toEqual([
      {
        kind: 'assign-guardrail',
        ...studentRef(BO),
        keyName: '20260101_Bo Reed_b2',
        hash: 'b',
        guardrail: SMALL,
      },
    ])
    expect(keyHolders.map(({ mqId }) => mqId)).toEqual(['1', 'b2'])
    expect(safety.grade).toBe('routine')
  })

  it('a guardrail is made up for where somebody has given the key another name', () => {
    const keys = [aKey({ hash: 'b', name: 'the key of Bo' })]
    const unassigned = [{ hash: 'b', guardrail: SMALL }]
    const { changes } = plan({ students: [BO], keys, unassigned, heldBy: new Map([['b', 'b2']]) })
    expect(changes).toMatchObject([{ kind: 'assign-guardrail', mqId: 'b2', hash: 'b', guardrail: SMALL }])
  })
})

describe('a student who is back', () => {
  const off = (over = {}) => adas({ hash: 'old', disabled: true, ...over })
  const back = (keys: ReturnType<typeof aKey>[], over: Parameters<typeof plan>[0] = {}) =>
    plan({ students: [ADA], keys, offboarded: new Set(['old', 'older']), ...over })

  it('gets the old key enabled again, told apart from a new one, and that is grave', () => {
    const { changes, keyHolders, spending, safety } = back([off()])
    expect(changes).toEqual([
      { kind: 'enable', ...studentRef(ADA), keyName: '20260101_Ada Quill_1', hash: 'old' },
    ])
    expect(keyHolders).toEqual([])
    // What it may spend then is the class's to spend.
    expect(spending).toEqual([{ reset: null, limit: 3 }])
    expect(safety).toMatchObject({ grade: 'grave', enabled: 1, hit: 0 })
  })

  it('gets the newest of those that were offboarded', () => {
    const keys = [
      off({ createdAt: '2026-03-01T00:00:00Z' }),
      off({ hash: 'older', createdAt: '2026-02-01T00:00:00Z' }),
    ]
    for (const order of [keys, [...keys].reverse()])
      expect(back(order).changes).toMatchObject([{ kind: 'enable', hash: 'old' }])
  })

  it('gets it also where somebody has given it another name', () => {
    const { changes, keyHolders, renamed } = back([off({ name: 'an old key' })], {
      heldBy: new Map([['old', '1']]),
    })
    expect(changes).toMatchObject([{ kind: 'enable', hash: 'old', mqId: '1', keyName: 'an old key' }])
    expect([keyHolders, renamed.length]).toEqual([[], 1])
  })

  it.each<[string, ReturnType<typeof aKey>[], Partial<ProvisionInput>]>([
    ['was disabled by somebody else', [off({ hash: 'another' })], {}],
    ['is to be disabled by limits.csv', [off()], { heldDisabled: new Set(['old']) }],
    ['is enabled already', [off({ disabled: false })], {}],
    ['is not the only one, and another one works', [off(), adas({ hash: 'new' })], {}],
    ['was disabled before anybody was offboarded', [off()], { offboarded: new Set() }],
  ])('gets none, and no new one, where the key %s', (_, keys, over) => {
    const { changes, keyHolders } = back(keys, over)
    expect(changes).toEqual([])
    expect(keyHolders).toMatchObject([{ mqId: '1' }])
  })

  it.each([
    ['expired', [off({ expiresAt: NOW.toISOString() })]],
    ['gone', []],
  ])('gets a new key where the old one is %s', (_, keys) => {
    expect(back(keys).changes).toMatchObject([{ kind: 'create', mqId: '1' }])
  })

  it('gets the old one where only a newer one has expired', () => {
    const expired = adas({ hash: 'new', expiresAt: NOW.toISOString() })
    expect(back([off(), expired]).changes).toMatchObject([{ kind: 'enable', hash: 'old' }])
  })
})

describe('what the class could then spend', () => {
  it.each<[string, ReturnType<typeof aKey>[], Parameters<typeof plan>[0], number]>([
    ['an enabled key', [adas({ limit: 40 })], {}, 42.5],
    ['each of two enabled keys', [adas({ limit: 40 }), adas({ hash: 'h2', limit: 1 })], {}, 43.5],
    ['not a disabled one', [adas({ limit: 40, disabled: true })], {}, 2.5],
    [
      'not an expired one, but the one in its place',
      [adas({ limit: 40, expiresAt: NOW.toISOString() })],
      {},
      5.5,
    ],
    ['not one of somebody else', [aKey({ limit: 40, name: '20260101_Cy Ames_77' })], {}, 5.5],
    [
      'one that is to be enabled again',
      [adas({ hash: 'old', limit: 40, disabled: true })],
      { offboarded: new Set(['old']) },
      42.5,
    ],
    [
      'one that somebody has given another name',
      [aKey({ hash: 'a', limit: 40, name: 'the key of Ada' })],
      { heldBy: new Map([['a', '1']]) },
      42.5,
    ],
    [
      'not a disabled one that somebody has given another name',
      [aKey({ hash: 'a', limit: 40, disabled: true, name: 'the key of Ada' })],
      { heldBy: new Map([['a', '1']]) },
      2.5,
    ],
  ])('counts %s', (_, keys, over, sum) => {
    const { spending } = plan({ keys, ...over })
    expect(spending.reduce((all, { limit }) => all + (limit ?? Number.NaN), 0)).toBe(sum)
    expect(() => refuseOverBudget(spending, sum)).not.toThrow()
    expect(() => refuseOverBudget(spending, sum - 0.01)).toThrow('budget')
  })

  it('has no limit where one key has none', () => {
    expect(plan({ keys: [adas({ limit: null })] }).spending).toEqual([
      { reset: 'weekly', limit: 2.5 },
      { reset: null, limit: null },
    ])
  })
})

describe('a key that came out otherwise than asked for', () => {
  const wrongTerms = [{ hash: 'h', limit: 3, limitReset: 'weekly' as const }]
  const of = (over = {}, more: Partial<ProvisionInput> = {}) =>
    plan({ students: [ADA], keys: [adas({ hash: 'h', ...over })], wrongTerms, ...more }).changes

  it.each([
    [
      { limit: 9 },
      { limit: { from: 9, to: 3 }, limitReset: { from: null, to: 'weekly' }, refills: 'weekly' },
    ],
    [{ limit: 3 }, { limitReset: { from: null, to: 'weekly' }, refills: 'weekly' }],
    [
      { limit: 9, limitReset: 'weekly' },
      { limit: { from: 9, to: 3 }, refills: 'weekly' },
    ],
  ])('%j is set right', (key, change) => {
    const { kind, email, name, mqId, keyName, hash, ...rest } = of(key)[0] as UpdateKey
    expect([kind, email, name, mqId, keyName, hash]).toEqual([
      'update',
      ADA.email,
      'Ada Quill',
      '1',
      '20260101_Ada Quill_1',
      'h',
    ])
    expect(rest).toStrictEqual(change)
  })

  it('is left alone where it is right by now, or has expired', () => {
    expect(of({ limit: 3, limitReset: 'weekly' })).toEqual([])
    expect(of({ limit: 9, expiresAt: NOW.toISOString() }).map(({ kind }) => kind)).toEqual(['create'])
  })

  it('may have been asked to be unlimited, and counts so in what the class could spend', () => {
    const { changes, spending } = plan({
      students: [ADA],
      keys: [adas({ hash: 'h', limit: 9 })],
      wrongTerms: [{ hash: 'h', limit: null }],
    })
    expect(changes).toMatchObject([{ limit: { from: 9, to: null } }])
    expect(spending).toEqual([{ reset: null, limit: null }])
  })
})

it('does not hold an expired key for one that works, nor gives it the guardrail it was made for', () => {
  const expired = adas({ hash: 'old', expiresAt: NOW.toISOString() })
  const disabled = adas({ hash: 'new', disabled: true })
  const guardrail = { id: 'g', name: 'Small models' }
  const { keyHolders, changes } = plan({
    students: [ADA],
    keys: [expired, disabled],
    secretHere: new Set(['old']),
    unassigned: [{ hash: 'old', guardrail }],
  })
  expect(keyHolders).toMatchObject([{ hashes: ['new'], secretHere: false, disabled: true }])
  expect(changes).toEqual([])
})
