import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ClassKeys, findTargets, mixedUpRows } from '../../src/lib/core/find-targets.js'
import type { Key } from '../../src/lib/core/key.js'
import type { Target } from '../../src/lib/core/limits.js'
import { aKey, aPerson, aTarget } from './make.js'

const [ADA, BO] = ['ada@example.edu', 'bo@example.edu']
const REPLACED = new Map([['old', 'one']])

/** A class in which all keys are Ada's. */
function adasAlone(keys: readonly Key[], replaced: ReadonlyMap<string, string>): ClassKeys {
  return {
    byHash: new Map(keys.map((key) => [key.hash, key])),
    ofEmail: (email) => (email === ADA ? keys : []),
    replaced,
    now: new Date('2026-03-02T10:00:00Z'),
  }
}

describe('findTargets', () => {
  const one = aKey({ hash: 'one' })
  const two = aKey({ hash: 'two' })
  const off = aKey({ hash: 'off', disabled: true })
  const off2 = aKey({ hash: 'off2', disabled: true })
  const over = aKey({ hash: 'over', expiresAt: '2026-03-02T10:00:00Z' })
  const nearly = aKey({ hash: 'nearly', expiresAt: '2026-03-02T10:00:01Z' })
  const old = aKey({ hash: 'old' })
  const oldOff = aKey({ hash: 'old', disabled: true })
  const find = (targets: Target[], keys: Key[], replaced = REPLACED) =>
    findTargets(targets, adasAlone(keys, replaced)).map(({ key, why }) => why ?? key?.hash)

  it.each([
    ['by hash', { hash: 'two' }, [one, two], 'two'],
    ['by hash, whoever the address is', { hash: 'two', email: 'x@example.edu' }, [one, two], 'two'],
    ['by address, where there is no hash', {}, [one], 'one'],
    ['by address, where the hash is gone', { hash: 'gone' }, [one], 'one'],
    ['by address, the only key being disabled', {}, [off], 'off'],
    ['by address, the only key being expired', {}, [over], 'over'],
    ['by address, one of two being enabled', {}, [off, one], 'one'],
    ['by address, one of two being over', {}, [over, one], 'one'],
    ['by address, one of two ending a second later', {}, [over, nearly], 'nearly'],
    ['by address, one of two having been replaced', {}, [old, one], 'one'],
    ['by address, one of four', {}, [old, over, off, one], 'one'],
    ['not at all: a key that ends a second later works', {}, [nearly, one], 'ada@example.edu has 2 keys'],
    ['not at all: a disabled key and one that is over', {}, [off, over], 'ada@example.edu has 2 keys'],
    ['not at all: a disabled key and a replaced one', {}, [off, old], 'ada@example.edu has 2 keys'],
    ['not at all: two enabled keys', {}, [one, two], 'ada@example.edu has 2 keys'],
    ['not at all: two disabled keys', {}, [off, off2], 'ada@example.edu has 2 keys'],
    ['not at all: no key', {}, [], 'no key of this address'],
    ['not at all: no such hash', { hash: 'gone' }, [], 'no such key'],
    ['not at all: unknown address', { email: 'x@example.edu' }, [one], 'no key of this address'],
  ])('%s', (_, target, keys, found) => expect(find([aTarget(target)], keys)).toEqual([found]))

  it('lets the first of two rows about one key have it', () => {
    const rows = [aTarget({ line: 2 }), aTarget({ line: 3 }), aTarget({ line: 4 })]
    expect(find(rows, [one])).toEqual(['one', 'line 2 is about the same key', 'line 2 is about the same key'])
  })

  it.each([
    ['gone, then kept', ['gone', 'off']],
    ['kept, then gone', ['off', 'gone']],
    ['no hash, then kept', ['', 'off']],
  ])(
    'never lets a row that means a key by its address take it from the row that names it: %s',
    (_, hashes) => {
      const rows = hashes.map((hash, i) => aTarget({ line: i + 2, hash }))
      const found = find(rows, [off])
      expect(found[hashes.indexOf('off')]).toBe('off')
      expect(found[1 - hashes.indexOf('off')]).toMatch('is about the same key')
    },
  )

  it('gives no key to two rows, and each row that names a listed key first that key', () => {
    const target = fc.record({
      hash: fc.constantFrom('', 'one', 'two', 'off', 'gone'),
      email: fc.constantFrom(ADA, BO),
    })
    fc.assert(
      fc.property(fc.array(target, { maxLength: 6 }), fc.subarray([one, two, off]), (targets, keys) => {
        const rows = targets.map((over, i) => aTarget({ ...over, line: i + 2 }))
        const found = findTargets(rows, adasAlone(keys, new Map()))
        const given = found.flatMap(({ key }) => (key ? [key.hash] : []))
        expect(new Set(given).size).toBe(given.length)
        for (const { hash } of keys) {
          const naming = found.filter((f) => f.target.hash === hash)
          if (naming.length > 0) expect(naming.map((f) => f.key?.hash)).toContain(hash)
        }
        expect(found.every(({ key, why }) => (key === undefined) === (why !== undefined))).toBe(true)
      }),
    )
  })

  describe('of a key that was replaced by a newer one', () => {
    const why = 'its key was replaced by a newer one, which has a row of its own'
    const written = { limit: 'x', disabled: '', limitReset: '' }

    it.each<[string, Partial<Target>, Key[], string]>([
      ['asks for nothing', {}, [old, one], why],
      ['disables it', { disabled: true }, [old, one], 'old'],
      ['disables it, and it is disabled', { disabled: true }, [oldOff, one], 'old'],
      ['enables it', { disabled: false }, [oldOff, one], why],
      ['raises it', { limit: 9, written }, [old, one], why],
      ['takes its limit away', { limit: null, written }, [old, one], why],
      ['adds to it', { limit: { add: 5 }, written }, [old, one], why],
      ['lets it refill', { limitReset: 'daily' }, [old, one], why],
      ['disables it, and changes its limit', { disabled: true, limit: 9, written }, [old, one], why],
      ['disables it, and lifts its limit', { disabled: true, limit: null, written }, [old, one], why],
      ['disables it, and lets it refill no more', { disabled: true, limitReset: null }, [old, one], why],
      // It is not taken for the newer one's, whatever it asks for.
      ['disables it, and it is gone', { disabled: true }, [one], why],
      ['raises it, and it is gone', { limit: 9, written }, [one], why],
    ])('a row that %s', (_, over, keys, found) => {
      expect(find([aTarget({ hash: 'old', ...over })], keys)).toEqual([found])
    })

    it('a row says that it is one, with the key where it is there', () => {
      const row = aTarget({ hash: 'old', disabled: false })
      expect(findTargets([row], adasAlone([old, one], REPLACED))).toEqual([
        { target: row, key: old, why, replaced: true },
      ])
      expect(findTargets([row], adasAlone([one], REPLACED))).toEqual([
        { target: row, key: undefined, why, replaced: true },
      ])
    })

    it('a row leaves the newer one to the row that is about it', () => {
      const rows = [aTarget({ line: 2, hash: 'old', limit: 9, written }), aTarget({ line: 3, hash: 'one' })]
      expect(find(rows, [old, one])).toEqual([why, 'one'])
      expect(find([...rows].reverse(), [old, one])).toEqual(['one', why])
    })

    it('a row never changes but by disabling it, whatever the rows are', () => {
      const target = fc.record({
        hash: fc.constantFrom('', 'old', 'one'),
        limit: fc.constantFrom<Target['limit']>(undefined, undefined, 5, null, { add: 1 }),
        disabled: fc.constantFrom(undefined, true, false),
        limitReset: fc.constantFrom<Target['limitReset']>(undefined, undefined, null, 'daily'),
      })
      fc.assert(
        fc.property(fc.array(target, { maxLength: 4 }), fc.subarray([old, one]), (targets, keys) => {
          const rows = targets.map((each, i) => aTarget({ ...each, line: i + 2 }))
          for (const { target: row, key, why: left } of findTargets(rows, adasAlone(keys, REPLACED))) {
            if (row.hash !== 'old') continue
            if (left === undefined)
              expect([key?.hash, row.limit, row.disabled, row.limitReset]).toEqual([
                'old',
                undefined,
                true,
                undefined,
              ])
          }
        }),
      )
    })
  })
})

describe('mixedUpRows', () => {
  const of = (hash: string, mqId: string, name = `20260219_Some Body_${mqId}`) => ({
    student: aPerson({ mqId }),
    key: aKey({ hash, name }),
  })
  const ofClass = [of('ada', 'a01'), of('bo', '007'), of('renamed', 'c3', 'for the demo')]
  const rows = (...cells: [hash: string, mqId: string][]) =>
    mixedUpRows(
      cells.map(([hash, mqId], i) => aTarget({ line: i + 2, hash, mqId })),
      ofClass,
    )

  it.each([
    ['the right one', 'ada', 'a01'],
    ['the right one in another case', 'ada', 'A01'],
    ['the right one, whatever the key is called', 'renamed', 'c3'],
    ['none: the file need not have the column', 'ada', ''],
    ['one from which a spreadsheet has taken the zeros', 'bo', '7'],
    ['one with more zeros', 'bo', '00007'],
    ['nobody’s: it may have been corrected', 'ada', '999'],
    ['nobody’s, but for a zero that is not the first', 'ada', 'a1'],
    ['another student’s, where there is no hash', '', '007'],
    ['another student’s, where the key is gone', 'gone', '007'],
  ])('says nothing of a row whose MQ ID is %s', (_, hash, mqId) => expect(rows([hash, mqId])).toEqual([]))

  it.each([
    ['that no key has any more: it was renamed', '20260219_Old Name_007', 0],
    ['of a key that is there: the columns were sorted apart', '20260219_Some Body_007', 1],
    ['of somebody else', '20260219_Old Name_c3', 1],
    ['that says no MQ ID', 'Old name', 1],
  ])('a row with another’s MQ ID and a key name %s', (_, keyName, problems) => {
    const row = aTarget({ hash: 'ada', mqId: '007', keyName })
    expect(mixedUpRows([row], ofClass)).toHaveLength(problems)
  })

  it.each([
    ['another student’s', 'ada', '007', 'a01'],
    ['another student’s without its zeros', 'ada', '7', 'a01'],
    ['another student’s in another case', 'bo', 'A01', '007'],
    ['of somebody whose key was renamed', 'bo', 'c3', '007'],
    ['another student’s, the key having been renamed', 'renamed', '007', 'c3'],
  ])('names a row whose MQ ID is %s', (_, hash, mqId, theirs) => {
    expect(rows([hash, mqId])).toEqual([
      {
        line: 2,
        column: 'mq_id',
        value: mqId,
        message: `its hash is of a key of ${theirs}; were the columns sorted apart?`,
      },
    ])
  })

  it('names every such row, in the order of the file', () => {
    const found = rows(['bo', 'a01'], ['renamed', '5'], ['ada', '007'], ['bo', '7'])
    expect(found.map(({ line }) => line)).toEqual([2, 4])
  })
})
