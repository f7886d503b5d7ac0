import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Creation } from '../../src/lib/core/creation.js'
import { type Doubt, settle, settleDoubt } from '../../src/lib/core/doubt.js'
import { isUsed, type Key } from '../../src/lib/core/key.js'
import { aCreation, aKey, aPerson } from './make.js'

const NAME = '20260219_Ada Quill_48200001'
const INTENT = Date.parse('2026-02-19T10:00:00Z')
const MINUTE = 60_000

const at = (minutes: number) => new Date(INTENT + minutes * MINUTE)
const made = (hash: string, minutes = 0, over: Partial<Key> = {}) =>
  aKey({ hash, name: NAME, createdAt: at(minutes).toISOString().replace('Z', '+00:00'), ...over })

/** What was decided, in short: `lost 1=a` (creation and hash), `absent 1`, `undone 1`, `unclear 1 a,b`. */
function words({ lost, absent, undone, unclear }: Doubt): string[] {
  return [
    ...lost.map(({ creation, hash }) => `lost ${creation.id}=${hash}`),
    ...absent.map(({ id }) => `absent ${id}`),
    ...undone.map(({ id }) => `undone ${id}`),
    ...unclear.map(({ creation, keys }) => `unclear ${creation.id} ${keys.map(({ hash }) => hash)}`),
  ]
}

const decide = (creations: Creation[], keys: Key[], secretHere: string[] = []) =>
  words(settle(creations, keys, new Set(secretHere)))

const open = (id = 1, minutes = 0) => aCreation({ id, intendedAt: at(minutes) })
const absent = (id = 1, minutes = 0) => aCreation({ id, state: 'absent', intendedAt: at(minutes) })
const undoing = (id = 1, keyHash: string | null = 'a') => aCreation({ id, state: 'undoing', keyHash })

describe('a creation without an answer', () => {
  it.each<[string, Key[], string[], string[]]>([
    ['no key: nothing was made', [], [], ['absent 1']],
    ['the key: it is lost', [made('a')], [], ['lost 1=a']],
    [
      'the key, disabled since: it is lost all the same',
      [made('a', 0, { disabled: true })],
      [],
      ['lost 1=a'],
    ],
    ['the key has been used', [made('a', 0, { usage: 0.000001 })], [], ['unclear 1 a']],
    [
      'the key has been used with the owner’s own provider',
      [made('a', 0, { byokUsage: 1 })],
      [],
      ['unclear 1 a'],
    ],
    ['two keys', [made('a'), made('b')], [], ['unclear 1 a,b']],
    ['two keys, one used', [made('a'), made('b', 0, { usage: 1 })], [], ['unclear 1 a,b']],
    ['the secret is here: not that key', [made('a')], ['a'], ['absent 1']],
    ['of two keys one has its secret here', [made('a'), made('b')], ['a'], ['lost 1=b']],
    ['used, but its secret is here', [made('a', 0, { usage: 1 })], ['a'], ['absent 1']],
    ['another name', [made('a', 0, { name: '20260218_Ada Quill_48200001' })], [], ['absent 1']],
    ['a name in another case', [made('a', 0, { name: NAME.toUpperCase() })], [], ['absent 1']],
    ['a name with a space more', [made('a', 0, { name: `${NAME} ` })], [], ['absent 1']],
    ['made just now by a clock that is 14 minutes behind', [made('a', -14)], [], ['lost 1=a']],
    ['made 15 minutes before by the other clock', [made('a', -15)], [], ['lost 1=a']],
    ['made 16 minutes before: an older key of that name?', [made('a', -16)], [], ['unclear 1 a']],
    ['made by a clock that is 14 minutes ahead', [made('a', 14)], [], ['lost 1=a']],
    ['made 75 minutes later: a request may come true late', [made('a', 75)], [], ['lost 1=a']],
    ['made 76 minutes later: by somebody else?', [made('a', 76)], [], ['unclear 1 a']],
    ['made days ago, and used since', [made('a', -9999, { usage: 1 })], [], ['unclear 1 a']],
    ['made days ago, and disabled since', [made('a', -9999, { disabled: true })], [], ['unclear 1 a']],
    ['two made at other times', [made('a', -60), made('b', 90)], [], ['unclear 1 a,b']],
    ['made days ago, and its secret is here', [made('a', -9999)], ['a'], ['absent 1']],
    ['made days ago, under another name', [made('a', -9999, { name: 'x' })], [], ['absent 1']],
    ['an older key of that name beside it', [made('a', -60), made('b')], [], ['lost 1=b']],
    [
      'an older, used key of that name beside it',
      [made('a', -60, { usage: 1 }), made('b')],
      [],
      ['lost 1=b'],
    ],
  ])('%s', (_, keys, secretHere, decided) => expect(decide([open()], keys, secretHere)).toEqual(decided))

  it('says why it is left alone', () => {
    const found = [[made('a'), made('b')], [made('a', 0, { usage: 1 })], [made('a', -16)]]
    expect(found.map((keys) => settle([open()], keys, new Set()).unclear[0]?.why)).toEqual([
      '2 keys could be the one that was being made',
      'the key that was being made has been used by somebody',
      'there is a key of that name, but it was made at another time',
    ])
  })

  it.each<[string, Key[], string[]]>([
    ['the old one, which has the same name', [made('old')], ['absent 1']],
    ['the old one, used', [made('old', 0, { usage: 1 })], ['absent 1']],
    ['the old one, made long before', [made('old', -600)], ['absent 1']],
    ['both', [made('old'), made('a', 1)], ['lost 1=a']],
    ['the new one alone', [made('a', 1)], ['lost 1=a']],
    ['the old one and two others', [made('old'), made('a'), made('b')], ['unclear 1 a,b']],
  ])('in the place of a key of the same day, there being %s', (_, keys, decided) => {
    expect(decide([aCreation({ replaces: 'old' })], keys)).toEqual(decided)
  })

  it('is told from others by its name', () => {
    const bo = aCreation({ id: 2, keyName: '20260219_Bo Reed_2', student: aPerson({ mqId: '2' }) })
    const bos = made('b', 0, { name: '20260219_Bo Reed_2' })
    expect(decide([open(), bo], [made('a'), bos])).toEqual(['lost 1=a', 'lost 2=b'])
    expect(decide([open(), bo], [bos])).toEqual(['lost 2=b', 'absent 1'])
  })
})

describe('two creations of one name', () => {
  it.each<[string, Creation[], Key[], string[]]>([
    ['both lost', [open(1), open(2, 5)], [made('a'), made('b', 5)], ['lost 1=a', 'lost 2=b']],
    ['one lost', [open(1), open(2, 5)], [made('a', 5)], ['lost 1=a', 'absent 2']],
    ['none', [open(1), open(2, 5)], [], ['absent 1', 'absent 2']],
    [
      'three keys',
      [open(1), open(2)],
      [made('a'), made('b'), made('c')],
      ['unclear 1 a,b,c', 'unclear 2 a,b,c'],
    ],
    [
      'one of two used',
      [open(1), open(2)],
      [made('a'), made('b', 0, { usage: 1 })],
      ['unclear 1 a,b', 'unclear 2 a,b'],
    ],
    ['held absent, then open: one key', [absent(1), open(2, 5)], [made('a', 5)], ['lost 2=a']],
    [
      'held absent, then open: both came true',
      [absent(1), open(2, 5)],
      [made('a'), made('b', 5)],
      ['lost 2=a', 'lost 1=b'],
    ],
    ['held absent, then open: none', [absent(1), open(2, 5)], [], ['absent 2']],
    [
      'two open, and a key of another time',
      [open(1), open(2)],
      [made('a', -60)],
      ['unclear 1 a', 'unclear 2 a'],
    ],
    [
      'held absent, then open: a key of another time',
      [absent(1), open(2, 5)],
      [made('a', -60)],
      ['unclear 2 a'],
    ],
    ['held absent alone: a key of another time', [absent(1)], [made('a', -60)], []],
    [
      'two open in the place of one, which is not deleted',
      [open(1), open(2)].map((creation) => ({ ...creation, replaces: 'a' })),
      [made('a'), made('b')],
      ['lost 1=b', 'absent 2'],
    ],
    [
      'held absent, then open: the key is as old as the first',
      [absent(1), open(2, 60)],
      [made('a', 1)],
      ['lost 2=a'],
    ],
    [
      'held absent, then open: three keys',
      [absent(1), open(2)],
      [made('a'), made('b'), made('c')],
      ['unclear 2 a,b,c'],
    ],
    [
      'being undone, then open: two keys',
      [undoing(1), open(2, 5)],
      [made('a'), made('b', 5)],
      ['lost 1=a', 'lost 2=b'],
    ],
    [
      'being undone, then open: the first is gone',
      [undoing(1), open(2, 5)],
      [made('b', 5)],
      ['lost 2=b', 'undone 1'],
    ],
    [
      'being undone, then open: only the first',
      [undoing(1), open(2, 5)],
      [made('a')],
      ['lost 1=a', 'absent 2'],
    ],
  ])('%s', (_, creations, keys, decided) => expect(decide(creations, keys)).toEqual(decided))
})

describe('a creation that was held absent', () => {
  /** Ada's second attempt, which worked. */
  const kept = made('kept', 5)

  it.each<[string, Key[], string[], string[]]>([
    ['nothing turns up', [kept], ['kept'], []],
    ['it came true late, beside the key that she has', [kept, made('late', 6)], ['kept'], ['lost 1=late']],
    ['late by the hour, by a clock that is ahead', [kept, made('late', 75)], ['kept'], ['lost 1=late']],
    ['later than any request comes true: somebody made it', [kept, made('late', 76)], ['kept'], []],
    [
      'older than the intent, within what clocks differ',
      [kept, made('late', -15)],
      ['kept'],
      ['lost 1=late'],
    ],
    ['older than the intent: another key of that name', [kept, made('late', -16)], ['kept'], []],
    ['it is in use', [kept, made('late', 6, { usage: 1 })], ['kept'], []],
    ['it is in use by the owner’s provider', [kept, made('late', 6, { byokUsage: 1 })], ['kept'], []],
    ['both secrets are here', [kept, made('late', 6)], ['kept', 'late'], []],
    ['it is the only key', [made('late', 6)], [], ['lost 1=late']],
    ['either of two could be it', [kept, made('late', 6)], [], ['unclear 1 kept,late']],
    [
      'her other key has another name',
      [made('k', 9, { name: '20260220_Ada Quill_48200001' }), made('late', 6)],
      ['k'],
      ['lost 1=late'],
    ],
    [
      'whatever others have',
      [made('k', 9, { name: '20260220_Bo Reed_2' }), made('late', 6)],
      ['k'],
      ['lost 1=late'],
    ],
  ])('%s', (_, keys, secretHere, decided) => expect(decide([absent()], keys, secretHere)).toEqual(decided))

  it('takes one key each for two of them', () => {
    const keys = [kept, made('x', 6), made('y', 7)]
    expect(decide([absent(1), absent(2)], keys, ['kept'])).toEqual(['lost 1=x', 'lost 2=y'])
    expect(decide([absent(1), absent(2)], keys.slice(0, 2), ['kept'])).toEqual(['lost 1=x'])
  })
})

describe('a creation that was being undone', () => {
  it.each<[string, Key[], string[]]>([
    ['its key is still there', [made('a')], ['lost 1=a']],
    ['its key is gone', [], ['undone 1']],
    ['its key is gone, and another of that name is there', [made('b')], ['undone 1']],
    ['its key was renamed meanwhile', [made('a', 0, { name: 'renamed' })], ['lost 1=a']],
  ])('%s', (_, keys, decided) => expect(decide([undoing()], keys)).toEqual(decided))

  it.each([{ usage: 0.5 }, { byokUsage: 0.5 }])('leaves its key alone once it has been used: %j', (over) => {
    expect(decide([undoing()], [made('a', 0, over)])).toEqual(['unclear 1 a'])
  })

  it('leaves its key alone where its secret is here after all, and says so', () => {
    expect(decide([undoing()], [made('a', 0, { usage: 1 })], ['a'])).toEqual(['unclear 1 a'])
    const whys = [['a'], []].map((here) => {
      return settle([undoing()], [made('a', 0, { usage: 1 })], new Set(here)).unclear[0]?.why
    })
    expect(whys).toEqual([
      'the key that was to be deleted as a lost one has its secret in this ledger',
      'the key that was being made has been used by somebody',
    ])
  })

  it('is done with where its key was never known', () => {
    expect(decide([undoing(1, null)], [made('b')])).toEqual(['undone 1'])
  })
})

it('decides nothing where nothing is in doubt', () => {
  expect(decide([], [made('a'), made('b')])).toEqual([])
})

describe('settleDoubt', () => {
  const ada = { email: 'ada.quill@students.example.edu', name: 'Ada Quill', mqId: '48200001' }

  it('gives the plan its first changes, what to tell, and the keys that are there then', () => {
    const bo = (id: number, name: string, over: Partial<Creation> = {}) =>
      aCreation({
        id,
        keyName: name,
        student: aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@example.edu', mqId: 'b2' }),
        ...over,
      })
    const creations = [
      open(7),
      bo(8, 'nothing'),
      bo(9, 'two'),
      bo(10, 'gone', { state: 'undoing', keyHash: 'g' }),
    ]
    const keys = [
      made('x', 0, { name: 'the website' }),
      made('a'),
      made('t1', 0, { name: 'two' }),
      made('t2', 0, { name: 'two' }),
    ]
    const { lost, settled, there } = settleDoubt({ creations, keys, secretHere: new Set() })
    expect(lost).toStrictEqual([{ kind: 'delete-lost', ...ada, keyName: NAME, hash: 'a', creationId: 7 }])
    expect(settled).toStrictEqual({
      leftAlone: [
        {
          email: 'bo@example.edu',
          name: 'Bo Reed',
          mqId: 'b2',
          keyName: 'two',
          hashes: ['t1', 't2'],
          why: '2 keys could be the one that was being made',
        },
      ],
      absent: [8],
      undone: [10],
    })
    expect(there.map(({ hash }) => hash)).toEqual(['x', 't1', 't2'])
  })

  it('changes nothing where nothing is in doubt', () => {
    const keys = [made('a'), made('b')]
    expect(settleDoubt({ creations: [], keys, secretHere: new Set() })).toEqual({
      lost: [],
      settled: { leftAlone: [], absent: [], undone: [] },
      there: keys,
    })
  })
})

it('never deletes a key that is used, whose secret is here, that is to be replaced, or that was not being made; and decides each once', () => {
  const names = [NAME, '20260219_Bo Reed_2']
  const minutes = fc.integer({ min: -30, max: 120 })
  const hashes = ['a', 'b', 'c', 'd', 'e']
  const keys = fc
    .uniqueArray(
      fc.record({
        hash: fc.constantFrom(...hashes),
        name: fc.constantFrom(...names, 'the website'),
        minutes,
        usage: fc.constantFrom(0, 0, 0, 0.2),
        byokUsage: fc.constantFrom(0, 0, 0, 0.2),
        disabled: fc.boolean(),
      }),
      { selector: ({ hash }) => hash },
    )
    .map((list) => list.map(({ hash, minutes, ...over }) => made(hash, minutes, over)))
  const creations = fc
    .array(
      fc.record({
        state: fc.constantFrom('open', 'absent', 'undoing'),
        keyName: fc.constantFrom(...names),
        minutes,
        keyHash: fc.constantFrom(...hashes),
        replaces: fc.constantFrom(null, null, ...hashes),
      }),
      { maxLength: 4 },
    )
    .map((list) =>
      list.map(({ state, keyName, minutes, keyHash, replaces }, i) =>
        aCreation({
          id: i + 1,
          state,
          keyName,
          student: aPerson({ mqId: keyName.endsWith('_2') ? '2' : '48200001' }),
          intendedAt: at(minutes),
          keyHash: state === 'undoing' ? keyHash : null,
          replaces: state === 'undoing' ? null : replaces,
        }),
      ),
    )
    // A key is being deleted for one creation only.
    .filter((list) => {
      const taken = list.flatMap(({ keyHash }) => (keyHash === null ? [] : [keyHash]))
      return new Set(taken).size === taken.length
    })
  fc.assert(
    fc.property(creations, keys, fc.subarray(hashes), (journal, listed, here) => {
      const byHash = new Map(listed.map((key) => [key.hash, key]))
      // A key that is being deleted or replaced was not renamed into what another creation was making.
      const nameOf = (hash: string | null) => byHash.get(hash ?? '')?.name
      fc.pre(
        journal.every(({ keyHash, replaces, keyName }) =>
          [nameOf(keyHash), nameOf(replaces)].every((name) => (name ?? keyName) === keyName),
        ),
      )
      const doubt = settle(journal, listed, new Set(here))
      for (const { creation, hash } of doubt.lost) {
        const key = byHash.get(hash)
        expect(key && isUsed(key)).toBe(false)
        expect(here).not.toContain(hash)
        if (creation.state === 'undoing') continue
        expect(key?.name).toBe(creation.keyName)
        expect(journal.map(({ replaces }) => replaces)).not.toContain(hash)
      }
      const deleted = doubt.lost.map(({ hash }) => hash)
      expect(new Set(deleted).size).toBe(deleted.length)

      const decided = [
        ...doubt.lost.map(({ creation }) => creation),
        ...doubt.absent,
        ...doubt.undone,
        ...doubt.unclear.map(({ creation }) => creation),
      ].map(({ id }) => id)
      expect(new Set(decided).size).toBe(decided.length)
      for (const { id, state } of journal) if (state !== 'absent') expect(decided).toContain(id)
    }),
    { numRuns: 2000 },
  )
})
