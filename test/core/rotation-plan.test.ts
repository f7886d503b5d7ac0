import { describe, expect, test } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import type { Rotation, RotationInput } from '../../src/lib/core/rotation.js'
import { newRotations, planRotation, type RotationPlan } from '../../src/lib/core/rotation-plan.js'
import { remainingLimit } from '../../src/lib/core/rotation-steps.js'
import type { Person } from '../../src/lib/core/student.js'
import { aCreation, aKey, aPerson } from './make.js'

const NOW = new Date('2026-03-02T10:00:00Z')
const DAY = 86_400_000
const inDays = (days: number) => new Date(NOW.getTime() + days * DAY)

const ADA = aPerson()
const BILAL = aPerson({ firstName: 'Bilal', email: 'bilal.quill@students.example.edu', mqId: '48200002' })
const CHIARA = aPerson({ firstName: 'Chiara', email: 'chiara.quill@students.example.edu', mqId: '48200003' })

/** A key of a person, as old as the number in its hash says. */
function keyOf(of: Person, n = 1, over: Partial<Key> = {}): Key {
  return aKey({
    hash: `${of.firstName.toLowerCase()}-${n}`,
    name: `20260219_${of.firstName} ${of.lastName}_${of.mqId}`,
    createdAt: `2026-02-${10 + n}T10:00:00Z`,
    ...over,
  })
}

/** A rotation of Ada's first key that an earlier run has begun and not come to the end with. */
function aRotation(over: Partial<Rotation> = {}): Rotation {
  return {
    id: 1,
    mqId: ADA.mqId,
    oldHash: 'ada-1',
    newHash: null,
    deleteOld: false,
    retireAt: inDays(-1),
    plannedAt: inDays(-1),
    retiredAt: null,
    closedAt: null,
    ...over,
  }
}

/** A rotation of Ada's first key whose second one is made, and that leaves the first in use until a day. */
const aKeptOne = (days: number, over: Partial<Rotation> = {}) =>
  aRotation({ newHash: 'ada-2', retireAt: inDays(days), closedAt: inDays(-1), ...over })

/** What is planned from: everybody of the roster has a key, and Ada is named. */
function input(over: Partial<RotationInput> = {}): RotationInput {
  const roster = over.roster ?? [ADA, BILAL, CHIARA]
  return {
    students: over.mode === undefined || over.mode === 'named' ? [ADA] : roster,
    mode: 'named',
    roster,
    known: { students: [], heldBy: new Map(), replaced: new Map() },
    keys: [keyOf(ADA), keyOf(BILAL), keyOf(CHIARA)],
    creations: [],
    secretHere: new Set(['ada-1', 'bilal-1', 'chiara-1']),
    rotations: [],
    guardrailOf: new Map(),
    unassigned: [],
    wrongTerms: [],
    asked: [],
    deleteOld: false,
    keepOldDays: 0,
    expiresAt: undefined,
    maxChange: 100,
    now: NOW,
    ...over,
  }
}

const planned = (over: Partial<RotationInput> = {}) => planRotation(input(over))

/** A plan in a few words: what happens to which key, in its order. */
function words({ changes, kept }: Pick<RotationPlan, 'changes' | 'kept'>): string[] {
  return [
    ...changes.map((change) =>
      change.kind === 'create' ? `create for ${change.replaces}` : `${change.kind} ${change.hash}`,
    ),
    ...kept.map(({ hash, until }) => `keep ${hash} until ${until.slice(0, 10)}`),
  ]
}

const whys = ({ skipped }: RotationPlan) => skipped.map(({ mqId, why }) => [mqId, why])

const NO_KEY = 'there is no key to replace; class-keys provision makes one'
const SEVERAL = 'there is more than one key that works; disable all but one through limits.csv first'
const DISABLED = 'the key is disabled: name the student to replace it all the same'
const EXPIRED = 'the key has expired: class-keys provision makes a new one'
const HERE = 'the secret is in this ledger'
const DOUBT = 'an earlier creation is in doubt'
const PLACEHOLDER = 'the address is a placeholder: find it out first'
const DONE = 'done already by the run that was interrupted'
const OUT_OF_USE = 'the key that was to be replaced is out of use'
const LAST =
  'the newer key is disabled or has expired, and the old one is the last that works: name the student to get another one'

describe('a new key in the place of an old one', () => {
  test('is made first, and then the old one is disabled', () => {
    const plan = planned()
    expect(plan).toMatchObject({
      version: 1,
      command: 'rotate',
      skipped: [],
      kept: [],
      retired: [],
      moot: [],
    })
    expect(plan.resumesSince).toBeNull()
    expect(plan.changes).toEqual([
      {
        kind: 'create',
        email: ADA.email,
        name: 'Ada Quill',
        mqId: ADA.mqId,
        keyName: '20260302_Ada Quill_48200001',
        limit: 3,
        limitReset: null,
        expiresAt: null,
        guardrail: null,
        replaces: 'ada-1',
      },
      {
        kind: 'disable',
        email: ADA.email,
        name: 'Ada Quill',
        mqId: ADA.mqId,
        keyName: '20260219_Ada Quill_48200001',
        hash: 'ada-1',
      },
    ])
  })

  test('is deleted where that is asked for, and kept where days are', () => {
    expect(words(planned({ deleteOld: true }))).toEqual(['create for ada-1', 'delete ada-1'])
    expect(words(planned({ keepOldDays: 7 }))).toEqual(['create for ada-1', 'keep ada-1 until 2026-03-09'])
    expect(words(planned({ keepOldDays: 7, deleteOld: true }))).toEqual([
      'create for ada-1',
      'keep ada-1 until 2026-03-09',
    ])
  })

  test('has its reset period, its expiry and its guardrail', () => {
    const guardrail = { id: 'g1', name: 'Small models' }
    const old = keyOf(ADA, 1, { limitReset: 'weekly', expiresAt: '2026-06-30T13:59:59.000Z' })
    const [create] = planned({ keys: [old], guardrailOf: new Map([['ada-1', guardrail]]) }).changes
    expect(create).toMatchObject({ limitReset: 'weekly', expiresAt: '2026-06-30T13:59:59Z', guardrail })
  })

  test.each([null, '2026-06-30T13:59:59Z'])('expires as --expires says, where the old one has %s', (was) => {
    const expiresAt = '2026-11-30T12:59:59Z'
    const [create] = planned({ keys: [keyOf(ADA, 1, { expiresAt: was })], expiresAt }).changes
    expect(create).toMatchObject({ expiresAt })
  })

  test('of several students: lost keys, then new ones, then guardrails, then old ones, each in the order given', () => {
    const guardrail = { id: 'g1', name: 'Small models' }
    const plan = planned({
      students: [CHIARA, ADA, BILAL],
      keys: [
        keyOf(ADA),
        keyOf(BILAL),
        keyOf(BILAL, 2),
        keyOf(CHIARA),
        keyOf(ADA, 9, { name: 'lost', createdAt: NOW.toISOString() }),
      ],
      secretHere: new Set(['ada-1', 'bilal-1', 'bilal-2', 'chiara-1']),
      creations: [aCreation({ keyName: 'lost', intendedAt: NOW, replaces: 'ada-1' })],
      rotations: [aRotation({ mqId: BILAL.mqId, oldHash: 'bilal-1', newHash: 'bilal-2' })],
      unassigned: [{ hash: 'bilal-2', guardrail }],
    })
    expect(words(plan)).toEqual([
      'delete-lost ada-9',
      'create for chiara-1',
      'create for ada-1',
      'assign-guardrail bilal-2',
      'disable chiara-1',
      'disable ada-1',
      'disable bilal-1',
    ])
    expect(plan.changes[3]).toMatchObject({ guardrail, mqId: BILAL.mqId })
  })
})

describe('what the new key may spend', () => {
  test.each<[string, Partial<Key>, number | null]>([
    ['nothing spent', { limit: 5, limitRemaining: 5 }, 5],
    ['a part of a limit for the lifetime', { limit: 5, limitRemaining: 1.9, usage: 3.1 }, 1.9],
    ['without the dust of floating point', { limit: 0.3, limitRemaining: 0.3 - 0.1 }, 0.2],
    ['all of it', { limit: 5, limitRemaining: 0, usage: 5 }, 0],
    ['more than all of it', { limit: 5, limitRemaining: -0.4, usage: 5.4 }, 0],
    ['OpenRouter does not say what is left', { limit: 5, limitRemaining: null, usage: 2 }, 3],
    ['a limit of zero', { limit: 0, limitRemaining: 0 }, 0],
    ['no limit stays none', { limit: null, limitRemaining: null, usage: 80 }, null],
    ['a limit that refills is whole', { limit: 5, limitRemaining: 0.1, limitReset: 'weekly', usage: 90 }, 5],
    ['zero that refills', { limit: 0, limitRemaining: 0, limitReset: 'daily' }, 0],
    ['no limit, with a period', { limit: null, limitRemaining: null, limitReset: 'monthly' }, null],
  ])('%s', (_, of, limit) => {
    const key = keyOf(ADA, 1, of)
    expect(remainingLimit(key)).toBe(limit)
    expect(planned({ keys: [key] }).changes[0]).toMatchObject({ limit, limitReset: key.limitReset })
  })
})

describe('who gets a new key', () => {
  const twoWork = [keyOf(ADA), keyOf(ADA, 2)]
  const disabled = [keyOf(ADA, 1, { disabled: true })]
  const expired = [keyOf(ADA, 1, { expiresAt: '2026-03-02T10:00:00Z' })]
  const oneOfTwo = [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2)]
  const twoDisabled = [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2, { disabled: true })]

  test.each<[RotationInput['mode'], string, Key[], string[], string | undefined]>([
    ['named', 'no key', [], [], NO_KEY],
    ['named', 'two that work', twoWork, [], SEVERAL],
    ['named', 'an expired one', expired, [], EXPIRED],
    ['named', 'a disabled one', disabled, ['create for ada-1'], undefined],
    ['named', 'two disabled ones: the newest', twoDisabled, ['create for ada-2'], undefined],
    ['named', 'a disabled and a working one', oneOfTwo, ['create for ada-2', 'disable ada-2'], undefined],
    [
      'named',
      'an expired and a working one',
      [...expired, keyOf(ADA, 2)],
      ['create for ada-2', 'disable ada-2'],
      undefined,
    ],
    ['all', 'no key', [], [], NO_KEY],
    ['all', 'two that work', twoWork, [], SEVERAL],
    ['all', 'an expired one', expired, [], EXPIRED],
    ['all', 'a disabled one', disabled, [], DISABLED],
    ['all', 'one whose secret is here', [keyOf(ADA)], ['create for ada-1', 'disable ada-1'], undefined],
    ['lost', 'no key', [], [], NO_KEY],
    ['lost', 'two that work', twoWork, [], SEVERAL],
    ['lost', 'a disabled one', disabled, [], DISABLED],
    ['lost', 'one whose secret is here', [keyOf(ADA)], [], HERE],
    [
      'lost',
      'one whose secret is not here',
      [keyOf(ADA, 7)],
      ['create for ada-7', 'disable ada-7'],
      undefined,
    ],
    ['due', 'one whose secret is not here', [keyOf(ADA, 7)], [], undefined],
    ['due', 'two that work', twoWork, [], undefined],
    ['due', 'no key', [], [], undefined],
  ])('%s: a student with %s', (mode, _, keys, changes, why) => {
    const plan = planned({ mode, students: [ADA], keys })
    expect(words(plan)).toEqual(changes)
    expect(whys(plan)).toEqual(why === undefined ? [] : [[ADA.mqId, why]])
  })

  test('a disabled key that is to be deleted is, once the new one is made', () => {
    expect(words(planned({ keys: disabled, deleteOld: true }))).toEqual(['create for ada-1', 'delete ada-1'])
    expect(planned({ keys: disabled }).retired).toEqual([{ mqId: ADA.mqId, hash: 'ada-1' }])
  })

  test.each<RotationInput['mode']>(['named', 'all', 'lost'])(
    '%s: nobody whose address is a placeholder',
    (mode) => {
      const nobody = { ...ADA, email: 'ada@FIXME.mq.edu.au' }
      const plan = planned({ mode, students: [nobody], roster: [nobody], secretHere: new Set() })
      expect(words(plan)).toEqual([])
      expect(whys(plan)).toEqual([[ADA.mqId, PLACEHOLDER]])
    },
  )

  test('nobody with a creation that a person has to look at, and everybody else', () => {
    const used = keyOf(ADA, 3, { name: 'x', usage: 1, createdAt: NOW.toISOString() })
    const plan = planned({
      mode: 'all',
      keys: [...input().keys, used],
      creations: [aCreation({ keyName: 'x', intendedAt: NOW })],
    })
    expect(whys(plan)).toEqual([[ADA.mqId, DOUBT]])
    expect(plan.leftAlone).toMatchObject([{ mqId: ADA.mqId, hashes: ['ada-3'] }])
    expect(words(plan).filter((word) => word.startsWith('create'))).toEqual([
      'create for bilal-1',
      'create for chiara-1',
    ])
  })

  test('what the listing says of creations in doubt is handed on', () => {
    const creations = [
      aCreation({ id: 7, keyName: 'a', intendedAt: NOW }),
      aCreation({ id: 8, keyName: 'b', state: 'undoing', keyHash: 'gone', intendedAt: NOW }),
    ]
    expect(planned({ creations })).toMatchObject({ absent: [7], undone: [8], leftAlone: [] })
  })

  test('an MQ ID in another case is the same student', () => {
    const lower = { ...ADA, mqId: 'ab1' }
    const keys = [keyOf(lower, 1, { hash: 'h', name: '20260219_Ada Quill_AB1' })]
    const rotations = [aRotation({ mqId: 'aB1', oldHash: 'h' })]
    expect(words(planned({ students: [lower], roster: [lower], keys }))).toEqual([
      'create for h',
      'disable h',
    ])
    expect(planned({ students: [lower], roster: [lower], keys, rotations }).resumesSince).not.toBeNull()
  })

  test('those who are not on the roster are told of, where a new key is made for them', () => {
    const known = { students: [ADA, BILAL], heldBy: new Map([['ada-1', ADA.mqId]]), replaced: new Map() }
    const plan = planned({ students: [ADA, BILAL], roster: [CHIARA], known, keys: [keyOf(ADA)] })
    expect(words(plan)).toEqual(['create for ada-1', 'disable ada-1'])
    expect(plan.notOnRoster).toEqual([{ email: ADA.email, name: 'Ada Quill', mqId: ADA.mqId }])
    expect(planned({ known }).notOnRoster).toEqual([])
  })

  test('a key with a name of somebody else that the ledger does not know is of another class', () => {
    const known = { students: [ADA], heldBy: new Map(), replaced: new Map() }
    expect(whys(planned({ roster: [], known }))).toEqual([[ADA.mqId, NO_KEY]])
  })

  test('a key that was renamed in the dashboard is known by its hash', () => {
    const known = { students: [ADA], heldBy: new Map([['ada-1', ADA.mqId]]), replaced: new Map() }
    const keys = [keyOf(ADA, 1, { name: 'Leaked!' })]
    expect(words(planned({ keys, known }))).toEqual(['create for ada-1', 'disable ada-1'])
  })
})

describe('what limits.csv asks of a key that is replaced', () => {
  const ask = (of: Person) => ({
    kind: 'update' as const,
    email: of.email,
    name: 'x',
    mqId: of.mqId,
    keyName: 'x',
    hash: `${of.firstName.toLowerCase()}-1`,
    limit: { from: 3, to: 8 },
    refills: null,
  })

  test('is overtaken; what it asks of others is not', () => {
    expect(planned({ asked: [ask(ADA), ask(BILAL)] }).overtaken).toEqual([ask(ADA)])
    expect(planned({ asked: [ask(ADA)], keys: [] }).overtaken).toEqual([])
  })
})

describe('old keys that are kept', () => {
  const both = [keyOf(ADA), keyOf(ADA, 2)]
  const kept = (days: number, over: Partial<RotationInput> = {}, of: Partial<Rotation> = {}) =>
    planned({ keys: both, secretHere: new Set(['ada-2']), rotations: [aKeptOne(days, of)], ...over })

  test.each([6, -1])('a new request retires them too, %i days before their day', (days) => {
    expect(words(kept(days))).toEqual(['create for ada-2', 'disable ada-2', 'disable ada-1'])
  })

  test('a new request that keeps the old one leaves them until their day, and no longer', () => {
    expect(words(kept(6, { keepOldDays: 9 }))).toEqual([
      'create for ada-2',
      'keep ada-2 until 2026-03-11',
      'keep ada-1 until 2026-03-08',
    ])
    expect(words(kept(0, { keepOldDays: 9 }))).toEqual([
      'create for ada-2',
      'disable ada-1',
      'keep ada-2 until 2026-03-11',
    ])
  })

  test.each<[string, boolean, boolean]>([
    ['the first run', true, false],
    ['this run', false, true],
    ['both', true, true],
  ])('they are deleted where %s says so', (_, first, deleteOld) => {
    expect(words(kept(-1, { deleteOld }, { deleteOld: first })).at(-1)).toBe('delete ada-1')
    expect(words(kept(-1, { mode: 'due', students: [ADA], deleteOld }, { deleteOld: first }))).toEqual([
      'delete ada-1',
    ])
  })

  test.each<[number, string[]]>([
    [1, ['keep ada-1 until 2026-03-03']],
    [0, ['disable ada-1']],
    [-1, ['disable ada-1']],
  ])('due, %i days before their day: %j', (days, expected) => {
    const plan = kept(days, { mode: 'due', students: [ADA] })
    expect(words(plan)).toEqual(expected)
    expect(plan.skipped).toEqual([])
  })

  test.each<[RotationInput['mode'], number, string[], string[][]]>([
    ['lost', 3, ['keep ada-1 until 2026-03-05'], [[ADA.mqId, HERE]]],
    ['lost', 0, ['disable ada-1'], []],
  ])('%s: where no new key is called for, %i days before their day', (mode, days, expected, why) => {
    const plan = kept(days, { mode, students: [ADA] })
    expect([words(plan), whys(plan)]).toEqual([expected, why])
  })

  test('a student whose address has become a placeholder is skipped, and the kept key still comes to its day', () => {
    const nobody = { ...ADA, email: 'ada@fixme.mq.edu.au' }
    const plan = kept(-1, { students: [nobody] })
    expect([words(plan), whys(plan)]).toEqual([['disable ada-1'], [[ADA.mqId, PLACEHOLDER]]])
  })

  test.each<[string, Key[], boolean]>([
    ['disabled', [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2)], false],
    ['gone', [keyOf(ADA, 2)], false],
    ['gone, and was to be deleted', [keyOf(ADA, 2)], true],
  ])('one that is %s is out of use already', (_, keys, deleteOld) => {
    const due = kept(3, { mode: 'due', students: [ADA], keys }, { deleteOld })
    expect([words(due), due.retired]).toEqual([[], [{ mqId: ADA.mqId, hash: 'ada-1' }]])
    const named = kept(3, { keys }, { deleteOld })
    expect([words(named)[0], named.retired]).toEqual([
      'create for ada-2',
      [{ mqId: ADA.mqId, hash: 'ada-1' }],
    ])
  })

  test('one that is disabled and is to be deleted is deleted on its day', () => {
    const keys = [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2)]
    const due = (days: number) =>
      words(kept(days, { mode: 'due', students: [ADA], keys }, { deleteOld: true }))
    expect(due(0)).toEqual(['delete ada-1'])
    expect(due(1)).toEqual(['keep ada-1 until 2026-03-03'])
  })

  test('a second key that works beside them is one too many all the same', () => {
    const plan = kept(3, { keys: [...both, keyOf(ADA, 3)] })
    expect([words(plan), whys(plan)]).toEqual([['keep ada-1 until 2026-03-05'], [[ADA.mqId, SEVERAL]]])
  })

  test('one whose newer key is gone is the key again', () => {
    const plan = kept(3, { keys: [keyOf(ADA)] })
    expect(words(plan)).toEqual(['create for ada-1', 'disable ada-1'])
    expect(words(kept(-1, { mode: 'due', students: [ADA], keys: [keyOf(ADA)] }))).toEqual([])
  })

  test('several of them are all retired', () => {
    const rotations = [
      aKeptOne(3, { newHash: 'ada-3' }),
      aKeptOne(9, { id: 2, oldHash: 'ada-2', newHash: 'ada-3' }),
    ]
    const keys = [...both, keyOf(ADA, 3)]
    expect(words(planned({ keys, rotations }))).toEqual([
      'create for ada-3',
      'disable ada-3',
      'disable ada-1',
      'disable ada-2',
    ])
  })
})

describe('a run that was interrupted', () => {
  const both = [keyOf(ADA), keyOf(ADA, 2)]
  const made = (over: Partial<Rotation> = {}) => aRotation({ newHash: 'ada-2', ...over })
  const resumed = (rotation: Rotation, over: Partial<RotationInput> = {}) =>
    planned({ students: [ADA], rotations: [rotation], keys: both, ...over })
  const MODES: RotationInput['mode'][] = ['named', 'all', 'lost']

  test.each(MODES)('%s: the new key is not made: it is, with the same words as ever', (mode) => {
    const plan = resumed(aRotation(), { mode, keys: [keyOf(ADA)] })
    expect(words(plan)).toEqual(['create for ada-1', 'disable ada-1'])
    expect(plan.resumesSince).toBe(inDays(-1).toISOString())
  })

  test.each(MODES)('%s: the new key is made: the old one is retired, and there is no third', (mode) => {
    const plan = resumed(made(), { mode })
    expect([words(plan), whys(plan)]).toEqual([['disable ada-1'], []])
  })

  test('what it was told holds for what it began, whatever is said now', () => {
    const deleting = made({ deleteOld: true })
    expect(words(resumed(deleting))).toEqual(['delete ada-1'])
    expect(words(resumed(made(), { deleteOld: true }))).toEqual(['disable ada-1'])
    const keeping = aRotation({ retireAt: inDays(3) })
    expect(words(resumed(keeping, { keys: [keyOf(ADA)] }))).toEqual([
      'create for ada-1',
      'keep ada-1 until 2026-03-05',
    ])
    expect(words(resumed(made(), { keepOldDays: 5 }))).toEqual(['disable ada-1'])
  })

  test.each<[RotationInput['mode'], string, Key[], boolean]>([
    ['all', 'gone', [keyOf(BILAL)], true],
    ['all', 'expired', [keyOf(ADA, 1, { expiresAt: NOW.toISOString() })], true],
    ['all', 'disabled', [keyOf(ADA, 1, { disabled: true })], true],
    ['named', 'gone', [keyOf(BILAL)], true],
    ['named', 'expired', [keyOf(ADA, 1, { expiresAt: NOW.toISOString() })], true],
    ['named', 'disabled', [keyOf(ADA, 1, { disabled: true })], false],
  ])('%s: not made, and the old key is %s meanwhile', (mode, _, keys, moot) => {
    const plan = resumed(aRotation({ id: 9 }), { mode, keys })
    expect(words(plan)).toEqual(moot ? [] : ['create for ada-1'])
    expect(whys(plan)).toEqual(moot ? [[ADA.mqId, OUT_OF_USE]] : [])
    expect(plan.moot).toEqual(moot ? [9] : [])
  })

  test.each<[string, Key[], Partial<Rotation>]>([
    ['gone', [keyOf(ADA, 2)], {}],
    ['disabled', [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2)], {}],
    [
      'retired, before its files were written',
      [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2)],
      { retiredAt: inDays(-1) },
    ],
  ])('made, and the old key is %s: nothing is left but to write that down', (_, keys, of) => {
    const plan = resumed(made(of), { keys })
    expect([words(plan), whys(plan)]).toEqual([[], [[ADA.mqId, DONE]]])
    expect(plan.retired).toEqual([{ mqId: ADA.mqId, hash: 'ada-1' }])
    expect(plan.moot).toEqual([])
  })

  test('made, and the new key is deleted meanwhile: another one is made', () => {
    expect(words(resumed(made(), { keys: [keyOf(ADA)] }))).toEqual(['create for ada-1', 'disable ada-1'])
  })

  test('a new key that has not got its guardrail gets it', () => {
    const guardrail = { id: 'g', name: 'Small models' }
    const unassigned = [
      { hash: 'ada-2', guardrail },
      { hash: 'bilal-1', guardrail },
    ]
    expect(words(resumed(made(), { unassigned }))).toEqual(['assign-guardrail ada-2', 'disable ada-1'])
    const gone = resumed(made(), { unassigned, keys: [keyOf(ADA, 2)] })
    expect([words(gone), whys(gone)]).toEqual([['assign-guardrail ada-2'], [[ADA.mqId, DONE]]])
    expect(words(resumed(aRotation(), { unassigned, keys: [keyOf(ADA)] }))).toEqual([
      'create for ada-1',
      'disable ada-1',
    ])
  })

  test('whoever got a new key from it gets no second one, and whoever joined since does', () => {
    const plan = planned({
      mode: 'all',
      keys: [...both, keyOf(BILAL), keyOf(CHIARA)],
      rotations: [
        made({ retiredAt: inDays(-1), closedAt: inDays(-1) }),
        aRotation({ id: 2, mqId: BILAL.mqId, oldHash: 'bilal-1' }),
      ],
    })
    expect(words(plan)).toEqual([
      'create for bilal-1',
      'create for chiara-1',
      'disable bilal-1',
      'disable chiara-1',
    ])
    expect(whys(plan)).toEqual([[ADA.mqId, DONE]])
  })

  test('is resumed for the students that this one is about, and for them alone', () => {
    const rotations = [
      aRotation({ mqId: BILAL.mqId, oldHash: 'bilal-1' }),
      made({ closedAt: inDays(-1), retiredAt: inDays(-1) }),
    ]
    const plan = planned({ rotations, keys: [keyOf(ADA, 2), keyOf(BILAL)] })
    expect(plan.resumesSince).toBeNull()
    // Ada is done with that run: to name her asks for one more.
    expect(words(plan)).toEqual(['create for ada-2', 'disable ada-2'])
  })

  test('of another day does not hold anybody back from this one', () => {
    const rotations = [
      aRotation({ mqId: BILAL.mqId, oldHash: 'bilal-1' }),
      made({ plannedAt: inDays(-20), closedAt: inDays(-20), retiredAt: inDays(-20) }),
    ]
    const plan = planned({
      mode: 'all',
      rotations,
      keys: [keyOf(ADA, 2), keyOf(BILAL)],
      students: [ADA, BILAL],
    })
    expect(words(plan).slice(0, 2)).toEqual(['create for ada-2', 'create for bilal-1'])
  })

  test('is not resumed for a student with a creation in doubt', () => {
    const used = keyOf(ADA, 3, { name: 'x', usage: 1, createdAt: NOW.toISOString() })
    const plan = resumed(aRotation(), {
      keys: [keyOf(ADA), used],
      creations: [aCreation({ keyName: 'x', intendedAt: NOW })],
    })
    expect([words(plan), whys(plan)]).toEqual([[], [[ADA.mqId, DOUBT]]])
  })

  test('due: an old key whose day has come and whose new one is made is retired, and no key is made', () => {
    const guardrail = { id: 'g', name: 'Small models' }
    const unassigned = [{ hash: 'ada-2', guardrail }]
    const due = (over: Partial<Rotation>) => resumed(made(over), { mode: 'due', unassigned })
    expect(words(due({}))).toEqual(['assign-guardrail ada-2', 'disable ada-1'])
    expect(words(due({ retireAt: inDays(3) }))).toEqual([
      'assign-guardrail ada-2',
      'keep ada-1 until 2026-03-05',
    ])
    expect(due({})).toMatchObject({ skipped: [], resumesSince: null })
    const unmade = resumed(aRotation(), { mode: 'due', keys: [keyOf(ADA)] })
    expect([words(unmade), unmade.skipped, unmade.moot]).toEqual([[], [], []])
    const moot = resumed(aRotation(), { mode: 'due', keys: [] })
    expect([moot.skipped, moot.moot]).toEqual([[], []])
  })

  test.each<[number, string[]]>([
    [-1, ['create for ada-2', 'disable ada-2', 'disable ada-1']],
    [3, ['create for ada-2', 'disable ada-2', 'keep ada-1 until 2026-03-05']],
  ])('an older key that is kept is not forgotten, %i days before its day', (days, expected) => {
    const rotations = [
      aKeptOne(days, { plannedAt: inDays(-7) }),
      aRotation({ id: 2, oldHash: 'ada-2', newHash: null }),
    ]
    expect(words(planned({ keys: both, rotations }))).toEqual(expected)
  })

  test('the newest of several gets a new key, and the older ones go with it', () => {
    const rotations = [made(), aRotation({ id: 2, oldHash: 'ada-2' })]
    const expected = ['create for ada-2', 'disable ada-2', 'disable ada-1']
    expect(words(planned({ keys: both, rotations }))).toEqual(expected)
    // Also where the newest is disabled, and its student is named.
    const keys = [keyOf(ADA), keyOf(ADA, 2, { disabled: true })]
    expect(words(planned({ keys, rotations }))).toEqual(['create for ada-2', 'disable ada-1'])
    // Also where what was made for both is gone.
    const lost = rotations.map((row) => ({ ...row, newHash: 'ada-3' }))
    expect(words(planned({ keys: both, rotations: lost }))).toEqual(expected)
    // Where it is gone there is nothing to replace but the older one.
    const plan = planned({ keys: [keyOf(ADA)], rotations })
    expect([words(plan), plan.moot, plan.skipped]).toEqual([['create for ada-1', 'disable ada-1'], [2], []])
  })

  test('makes a new key for a lost one that its own creation left', () => {
    const lost = keyOf(ADA, 4, { name: '20260302_Ada Quill_48200001', createdAt: NOW.toISOString() })
    const plan = resumed(aRotation(), {
      keys: [keyOf(ADA), lost],
      secretHere: new Set(['ada-1']),
      creations: [aCreation({ keyName: lost.name, intendedAt: NOW, replaces: 'ada-1' })],
    })
    expect(words(plan)).toEqual(['delete-lost ada-4', 'create for ada-1', 'disable ada-1'])
  })
})

describe('the last key of a student that works', () => {
  const over = { expiresAt: '2026-03-01T00:00:00Z' }
  const of = (rotation: Rotation, newer: Partial<Key>, mode: RotationInput['mode'] = 'all') =>
    planned({
      mode,
      students: [ADA],
      keys: [keyOf(ADA), keyOf(ADA, 2, newer)],
      rotations: [rotation],
      secretHere: new Set(),
    })

  test.each<[RotationInput['mode'], Rotation]>([
    ['due', aKeptOne(-1)],
    ['all', aKeptOne(-1)],
    ['lost', aKeptOne(-1)],
    ['due', aRotation({ newHash: 'ada-2' })],
    ['all', aRotation({ newHash: 'ada-2' })],
    ['lost', aRotation({ newHash: 'ada-2' })],
  ])('%s: is not retired where the newer one was disabled meanwhile', (mode, rotation) => {
    const plan = of(rotation, { disabled: true }, mode)
    expect([words(plan), whys(plan)]).toEqual([[], [[ADA.mqId, LAST]]])
  })

  test('is not looked at for others that work', () => {
    const plan = planned({
      mode: 'due',
      students: [ADA],
      keys: [keyOf(ADA), keyOf(ADA, 2, { disabled: true }), keyOf(ADA, 3)],
      rotations: [aKeptOne(-1)],
    })
    expect([words(plan), whys(plan)]).toEqual([['disable ada-1'], []])
  })

  test('a key that does not work is deleted all the same', () => {
    const keys = [keyOf(ADA, 1, { disabled: true }), keyOf(ADA, 2, { disabled: true })]
    const plan = planned({
      mode: 'due',
      students: [ADA],
      keys,
      rotations: [aKeptOne(-1, { deleteOld: true })],
    })
    expect([words(plan), whys(plan)]).toEqual([['delete ada-1'], []])
  })

  test.each<[string, Rotation, string[]]>([
    ['kept', aKeptOne(3), ['create for ada-2', 'disable ada-1']],
    ['interrupted', aRotation({ newHash: 'ada-2' }), ['create for ada-1', 'disable ada-1']],
  ])('whoever names the student gets one more: %s', (_, rotation, expected) => {
    expect(words(of(rotation, { disabled: true }, 'named'))).toEqual(expected)
  })

  test.each<[string, Rotation]>([
    ['kept', aKeptOne(3)],
    ['interrupted', aRotation({ newHash: 'ada-2' })],
  ])('a newer one that has expired is as good as none: %s', (_, rotation) => {
    for (const mode of ['named', 'all', 'lost'] as const)
      expect(words(of(rotation, over, mode))).toEqual(['create for ada-1', 'disable ada-1'])
    expect(words(of(rotation, over, 'due'))).toEqual([])
  })
})

describe('what the journal is told', () => {
  const begun = (over: Partial<RotationInput>) => newRotations(planned(over), input(over))

  test('what is begun, with how it is to end', () => {
    expect(begun({ mode: 'all', deleteOld: true, keys: [keyOf(ADA), keyOf(CHIARA)] })).toEqual([
      { mqId: ADA.mqId, oldHash: 'ada-1', deleteOld: true, retireAt: NOW },
      { mqId: CHIARA.mqId, oldHash: 'chiara-1', deleteOld: true, retireAt: NOW },
    ])
    expect(begun({ keepOldDays: 7 })).toEqual([
      { mqId: ADA.mqId, oldHash: 'ada-1', deleteOld: false, retireAt: inDays(7) },
    ])
  })

  test('not what is resumed: that is there already', () => {
    expect(begun({ students: [ADA, BILAL], rotations: [aRotation()] })).toMatchObject([
      { oldHash: 'bilal-1' },
    ])
  })

  test('an older key that is kept and goes with it, which is a part of this run from now on', () => {
    const of: Partial<RotationInput> = {
      keys: [keyOf(ADA), keyOf(ADA, 2)],
      rotations: [aKeptOne(3, { deleteOld: true })],
    }
    const older = { mqId: ADA.mqId, oldHash: 'ada-1', deleteOld: true, retireAt: NOW }
    expect(begun(of)).toMatchObject([{ oldHash: 'ada-2' }, older])
    // Not one that stays until its day, and none twice.
    expect(begun({ ...of, keepOldDays: 2 })).toMatchObject([{ oldHash: 'ada-2' }])
    expect(begun({ ...of, keys: [keyOf(ADA)] })).toMatchObject([{ oldHash: 'ada-1', deleteOld: false }])
  })

  test('not what only retires a kept key', () => {
    const of = { mode: 'due', keys: [keyOf(ADA), keyOf(ADA, 2)], rotations: [aKeptOne(0)] } as const
    expect(words(planned(of))).toEqual(['disable ada-1'])
    expect(begun(of)).toEqual([])
  })
})

describe('how much harm it could do', () => {
  const people = Array.from({ length: 12 }, (_, i) =>
    aPerson({ firstName: `S${i}`, email: `s${i}@students.example.edu`, mqId: `1${i}` }),
  )
  const keys = people.map((each) => keyOf(each, 1, { hash: `h${each.mqId}` }))
  const plan = (n: number, over: Partial<RotationInput> = {}) =>
    planned({ roster: people, keys, students: people.slice(0, n), maxChange: 30, ...over }).safety

  test('is measured by all keys of the class', () => {
    expect(plan(3)).toMatchObject({ grade: 'routine', hit: 3, total: 12, maxChange: 30 })
    expect(plan(4)).toMatchObject({ grade: 'massive', hit: 4, total: 12 })
    expect(plan(4, { maxChange: 40 })).toMatchObject({ grade: 'routine' })
    expect(plan(12, { keepOldDays: 3 })).toMatchObject({ grade: 'routine', hit: 0 })
  })

  test('is grave where keys are deleted, and lost ones do not count', () => {
    expect(plan(2, { deleteOld: true })).toMatchObject({ grade: 'grave', deleted: 2 })
    const lost = aKey({ hash: 'lost', name: 'lost', createdAt: NOW.toISOString() })
    const creations = [aCreation({ keyName: 'lost', intendedAt: NOW })]
    expect(plan(2, { keys: [...keys, lost], creations })).toMatchObject({ grade: 'routine', total: 12 })
  })
})
