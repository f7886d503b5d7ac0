import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import { keysOfLedger, type OffboardInput, planOffboard } from '../../src/lib/core/offboard-plan.js'
import type { Person } from '../../src/lib/core/student.js'
import { aCreation, aKey, aPerson } from './make.js'

const ADA = aPerson({ firstName: 'Ada', email: 'ada@example.edu', mqId: 'a1' })
const BO = aPerson({ firstName: 'Bo', email: 'bo@example.edu', mqId: 'b2' })
const CY = aPerson({ firstName: 'Cy', email: 'cy@example.edu', mqId: 'c3' })
const EVERYBODY = [ADA, BO, CY]
const NOW = new Date('2026-03-02T00:00:00Z')

/** A key of somebody, with the hash `of-` and their MQ ID. */
const keyOf = ({ firstName, lastName, mqId }: Person, over: Partial<Key> = {}): Key =>
  aKey({ hash: `of-${mqId}`, name: `20260219_${firstName} ${lastName}_${mqId}`, ...over })

/** A ledger that knows everybody and each key by the hash that `keyOf` gives it. */
const known = (held: Record<string, string> = {}): OffboardInput['known'] => ({
  students: EVERYBODY,
  heldBy: new Map([
    ...EVERYBODY.map(({ mqId }) => [`of-${mqId}`, mqId] as const),
    ...Object.entries(held).map(([hash, mqId]) => [hash, mqId] as const),
  ]),
  replaced: new Map(),
})

const plan = (over: Partial<OffboardInput> = {}) =>
  planOffboard({
    roster: [ADA],
    known: known(),
    keys: EVERYBODY.map((each) => keyOf(each)),
    creations: [],
    secretHere: new Set(EVERYBODY.map(({ mqId }) => `of-${mqId}`)),
    endOfTerm: false,
    deleteDisabled: false,
    unfinished: new Set(),
    maxChange: 30,
    now: NOW,
    ...over,
  })
const brief = (over: Partial<OffboardInput> = {}) =>
  plan(over).changes.map(({ kind, hash }) => `${kind} ${hash}`)

it('points out who has left and seems to be on the roster under another MQ ID', () => {
  const again = { ...BO, mqId: 'b3' }
  const { secondKeys, changes } = plan({ roster: [ADA, again], keys: [keyOf(ADA), keyOf(BO)] })
  expect(secondKeys).toMatchObject([{ mqId: 'b3', hash: 'of-b2', because: 'address' }])
  expect(changes).toHaveLength(1)
  expect(plan({ roster: [ADA, again], keys: [keyOf(ADA), keyOf(BO)], endOfTerm: true }).secondKeys).toEqual(
    [],
  )
  expect(plan({ roster: [ADA, again], keys: [keyOf(again), keyOf(BO)] }).secondKeys).toEqual([])
})

it('is data, with its version and whatever a person should know', () => {
  expect(plan({ keys: [keyOf(ADA), keyOf(BO)] })).toStrictEqual({
    version: 1,
    command: 'offboard',
    endOfTerm: false,
    changes: [
      {
        kind: 'disable',
        email: 'bo@example.edu',
        name: 'Bo Quill',
        mqId: 'b2',
        keyName: '20260219_Bo Quill_b2',
        hash: 'of-b2',
      },
    ],
    madeElsewhere: 0,
    disabledAlready: 0,
    secondKeys: [],
    leftAlone: [],
    absent: [],
    undone: [],
    safety: {
      grade: 'routine',
      unlimited: 0,
      enabled: 0,
      deleted: 0,
      secondKeys: 0,
      hit: 1,
      total: 2,
      maxChange: 30,
    },
  })
})

const off = (person: Person) => keyOf(person, { disabled: true })

describe('whose keys, and what becomes of them', () => {
  it.each<[string, Partial<OffboardInput>, string[]]>([
    ['those who have left', {}, ['disable of-b2', 'disable of-c3']],
    ['nobody where all are on the roster', { roster: EVERYBODY }, []],
    [
      'an MQ ID of the roster in another case is the same',
      { roster: EVERYBODY.map((each) => ({ ...each, mqId: each.mqId.toUpperCase() })) },
      [],
    ],
    [
      'everybody at the end of the term',
      { endOfTerm: true },
      ['disable of-a1', 'disable of-b2', 'disable of-c3'],
    ],
    [
      'everybody the ledger knows, where there is no roster',
      { endOfTerm: true, roster: [] },
      ['disable of-a1', 'disable of-b2', 'disable of-c3'],
    ],
    ['a key that is disabled stays so', { keys: [keyOf(ADA), off(BO)] }, []],
    [
      '--delete: only what was disabled before',
      { keys: [off(ADA), off(BO), keyOf(CY)], deleteDisabled: true },
      ['disable of-c3', 'delete of-b2'],
    ],
    [
      '--delete at the end of the term',
      { keys: [keyOf(ADA), off(BO), off(CY)], deleteDisabled: true, endOfTerm: true },
      ['disable of-a1', 'delete of-b2', 'delete of-c3'],
    ],
    [
      'a key that has expired is disabled like another',
      { keys: [keyOf(BO, { expiresAt: '2020-01-01T00:00:00Z' })] },
      ['disable of-b2'],
    ],
    [
      'all keys of somebody',
      { keys: [keyOf(BO, { hash: 'newer' }), keyOf(BO)], known: known({ newer: 'b2' }) },
      ['disable newer', 'disable of-b2'],
    ],
  ])('%s', (_, over, changes) => {
    expect(brief(over)).toEqual(changes)
  })

  it('sorts by address, whatever the order of the listing; what is disabled comes before what is deleted', () => {
    const keys = [off(CY), keyOf(BO), off(ADA), keyOf(CY, { hash: 'second' })]
    const over = { keys, endOfTerm: true, known: known({ second: 'c3' }), deleteDisabled: true }
    expect(brief(over)).toEqual(['disable of-b2', 'disable second', 'delete of-a1', 'delete of-c3'])
    expect(brief({ ...over, keys: [...keys].reverse() })).toEqual(brief(over))
  })

  it('counts what is disabled already and stays so', () => {
    const keys = [keyOf(ADA), off(BO), off(CY)]
    expect(plan({ keys }).disabledAlready).toBe(2)
    expect(plan({ keys, deleteDisabled: true }).disabledAlready).toBe(0)
    // Of those in question alone.
    expect(plan({ keys, roster: [ADA, BO] }).disabledAlready).toBe(1)
  })
})

describe('a key of another class is never touched', () => {
  const strangers: [string, Key][] = [
    ['named for somebody who has left', keyOf(BO, { hash: 'never-seen' })],
    ['named for somebody on the roster', keyOf(ADA, { hash: 'never-seen' })],
    ['named for nobody', aKey({ hash: 'never-seen', name: 'production' })],
    ['named for somebody the ledger does not know', aKey({ hash: 'never-seen', name: '20260219_Di Q_d4' })],
  ]

  it.each(strangers)('%s', (_, key) => {
    for (const disabled of [false, true])
      for (const endOfTerm of [false, true])
        expect(brief({ keys: [{ ...key, disabled }], endOfTerm, deleteDisabled: true })).toEqual([])
  })

  it('even where the ledger knows its hash, and nobody whose it is', () => {
    expect(
      brief({ keys: [aKey({ hash: 'odd' })], known: known({ odd: 'nobody' }), endOfTerm: true }),
    ).toEqual([])
  })
})

describe('a key that was given another name', () => {
  it.each<[string, Partial<OffboardInput>, string[]]>([
    ['is of whom the ledger says', { keys: [keyOf(BO, { name: 'for the demo' })] }, ['disable of-b2']],
    ['stays, where that is somebody on the roster', { keys: [keyOf(ADA, { name: 'for the demo' })] }, []],
    // A corrected MQ ID: the advice is to give the key a name that ends in the new one.
    [
      'stays, where its name carries the MQ ID of somebody on the roster',
      { keys: [keyOf(BO, { name: '20260219_Ada Quill_A1' })] },
      [],
    ],
    [
      'is of whom the ledger says, where its name carries that of somebody who has left too',
      { keys: [keyOf(BO, { name: '20260219_Cy Quill_c3' })] },
      ['disable of-b2'],
    ],
    [
      'is taken at the end of the term like another',
      { keys: [keyOf(BO, { name: '20260219_Ada Quill_a1' })], endOfTerm: true },
      ['disable of-b2'],
    ],
  ])('%s', (_, over, changes) => {
    expect(brief(over)).toEqual(changes)
  })
})

describe('a key whose secret was lost', () => {
  const LOST = '20260219_Bo Quill_b2'
  const creation = aCreation({ id: 7, student: BO, keyName: LOST })
  const lost = aKey({ hash: 'lost', name: LOST })

  it('is deleted before anything else, by its entry in the journal', () => {
    const { changes, safety } = plan({ keys: [keyOf(CY), lost], creations: [creation] })
    expect(changes).toStrictEqual([
      {
        kind: 'delete-lost',
        email: 'bo@example.edu',
        name: 'Bo Quill',
        mqId: 'b2',
        keyName: LOST,
        hash: 'lost',
        creationId: 7,
      },
      expect.objectContaining({ kind: 'disable', hash: 'of-c3' }),
    ])
    // Nobody ever had it: healing needs nobody's yes.
    expect(safety).toMatchObject({ grade: 'routine', deleted: 0, hit: 1 })
  })

  it.each([false, true])(
    'is not taken out of use as well, once the ledger knows it (disabled: %s)',
    (disabled) => {
      const undoing = { ...creation, state: 'undoing' as const, keyHash: 'lost' }
      const input = {
        keys: [{ ...lost, disabled }],
        creations: [undoing],
        known: known({ lost: 'b2' }),
        deleteDisabled: true,
        endOfTerm: true,
      }
      expect(brief(input)).toEqual(['delete-lost lost'])
      expect(plan(input)).toMatchObject({ madeElsewhere: 0, disabledAlready: 0 })
    },
  )

  it('is left alone where it has been used, and is pointed out', () => {
    const { changes, leftAlone } = plan({ keys: [{ ...lost, usage: 1 }], creations: [creation] })
    expect(changes).toEqual([])
    expect(leftAlone).toMatchObject([{ mqId: 'b2', keyName: LOST, hashes: ['lost'] }])
  })

  it('is settled with what the listing shows to have made nothing', () => {
    const gone = {
      ...creation,
      id: 8,
      keyName: '20260219_Cy Quill_c3',
      state: 'undoing' as const,
      keyHash: 'x',
    }
    expect(plan({ keys: [], creations: [creation, gone] })).toMatchObject({
      changes: [],
      absent: [7],
      undone: [8],
    })
  })
})

describe('keys that were made elsewhere', () => {
  it.each<[string, Partial<OffboardInput>, number]>([
    ['none where all secrets are here', {}, 0],
    [
      'those that are disabled or deleted',
      { keys: [off(BO), keyOf(CY)], secretHere: new Set(), deleteDisabled: true },
      2,
    ],
    ['not those that stay', { keys: [keyOf(ADA), off(BO), keyOf(CY)], secretHere: new Set() }, 1],
    ['each by its own secret', { secretHere: new Set(['of-b2']) }, 1],
  ])('%s', (_, over, madeElsewhere) => {
    expect(plan(over).madeElsewhere).toBe(madeElsewhere)
  })
})

/** A class of so many, of whom the last `left` are not on the roster any more. */
function aClass(size: number, left: number, over: Partial<OffboardInput> = {}): OffboardInput {
  const people = Array.from({ length: size }, (_, i) =>
    aPerson({ email: `s${String(i).padStart(2, '0')}@example.edu`, mqId: `s${i}` }),
  )
  return {
    roster: people.slice(0, size - left),
    known: {
      students: people,
      heldBy: new Map(people.map(({ mqId }) => [`of-${mqId}`, mqId])),
      replaced: new Map(),
    },
    keys: people.map((each) => keyOf(each)),
    creations: [],
    secretHere: new Set(),
    endOfTerm: false,
    deleteDisabled: false,
    unfinished: new Set(),
    maxChange: 30,
    now: NOW,
    ...over,
  }
}

describe('how safe it is', () => {
  it.each<[string, OffboardInput, object]>([
    ['nine of nine', aClass(9, 0, { endOfTerm: true }), { grade: 'routine', hit: 9, total: 9 }],
    ['three of ten', aClass(10, 3), { grade: 'routine', hit: 3, total: 10 }],
    ['four of ten', aClass(10, 4), { grade: 'massive', hit: 4, total: 10 }],
    ['ten of ten', aClass(10, 0, { endOfTerm: true }), { grade: 'massive', hit: 10, total: 10 }],
    [
      'four of ten, of which half may be',
      aClass(10, 4, { maxChange: 50 }),
      { grade: 'routine', maxChange: 50 },
    ],
    ['one of ten, of which none may be', aClass(10, 1, { maxChange: 0 }), { grade: 'massive', maxChange: 0 }],
    ['ten of ten, of which all may be', aClass(10, 10, { maxChange: 100 }), { grade: 'routine' }],
  ])('%s', (_, input, safety) => {
    expect(planOffboard(input).safety).toMatchObject(safety)
  })

  it('a deletion is grave, and counts among the keys that are hit', () => {
    const input = aClass(10, 2, { deleteDisabled: true })
    const keys = input.keys.map((key, i) => ({ ...key, disabled: i === 9 }))
    expect(planOffboard({ ...input, keys }).safety).toMatchObject({
      grade: 'grave',
      deleted: 1,
      hit: 2,
      total: 10,
    })
  })

  it('keys of other classes do not make the share look smaller', () => {
    const strangers = Array.from({ length: 90 }, (_, i) => aKey({ hash: `x${i}`, name: `20260219_X_x${i}` }))
    const input = aClass(10, 4)
    expect(planOffboard({ ...input, keys: [...input.keys, ...strangers] }).safety).toMatchObject({
      grade: 'massive',
      total: 10,
    })
  })

  it('keys that are disabled already do not either', () => {
    const input = aClass(20, 4)
    const keys = input.keys.map((key, i) => ({ ...key, disabled: i < 10 }))
    expect(planOffboard({ ...input, keys }).safety).toMatchObject({ grade: 'massive', hit: 4, total: 10 })
  })
})

describe('keysOfLedger', () => {
  it('gives the keys that the ledger knows, with their students as the roster spells them', () => {
    const moved = { ...BO, email: 'a.new@example.edu' }
    const keys = [keyOf(CY), aKey({ hash: 'never-seen', name: '20260219_Bo Quill_b2' }), keyOf(BO)]
    expect(keysOfLedger({ keys, roster: [moved], known: known() })).toEqual([
      { student: moved, key: keyOf(BO) },
      { student: CY, key: keyOf(CY) },
    ])
  })
})
