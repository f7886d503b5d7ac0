import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FoundTarget } from '../../src/lib/core/find-targets.js'
import type { Key } from '../../src/lib/core/key.js'
import type { Target } from '../../src/lib/core/limits.js'
import { nextLimits } from '../../src/lib/core/next-limits.js'
import { aKey, aTarget } from './make.js'

const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '48200001' }
const BO = { email: 'bo@example.edu', name: 'Bo Reed', mqId: '48200002' }

/** The next file where nothing relative is reached, and no newer instruction was given, unless said otherwise. */
const next = (
  keys: Parameters<typeof nextLimits>[0],
  present: readonly FoundTarget[],
  over: Partial<Parameters<typeof nextLimits>[2]> = {},
) => nextLimits(keys, present, { reached: new Map(), answered: new Set(), ...over })

describe('nextLimits', () => {
  const key = aKey({ hash: 'h1', limit: 3, disabled: false })
  const row = (student: typeof ADA, of: Key) => ({
    ...student,
    targetLimit: '',
    targetDisabled: '',
    targetLimitReset: '',
    keyName: of.name,
    hash: of.hash,
    actual: { limit: of.limit, disabled: of.disabled, limitReset: of.limitReset },
    extra: new Map(),
  })
  const target = aTarget({
    hash: 'h1',
    limit: 5,
    disabled: true,
    limitReset: 'weekly',
    written: { limit: '$5', disabled: 'YES', limitReset: 'Weekly' },
    extra: new Map([['note', 'tutor']]),
  })

  it('has a row for each key of the class, by address', () => {
    const bos = aKey({ hash: 'h2', limit: null, disabled: true, name: '20260219_Bo Reed_48200002' })
    const keys = [
      { student: BO, key: bos },
      { student: ADA, key },
    ]
    expect(next(keys, [])).toEqual([row(ADA, key), row(BO, bos)])
  })

  it('writes the amount in the place of a relative target that is reached, and of no other', () => {
    const more = (hash: string) =>
      aTarget({ hash, limit: { add: 5 }, written: { limit: '+5', disabled: '', limitReset: '' } })
    const two = aKey({ hash: 'h2', limit: 3 })
    const gone = aKey({ hash: 'h3', limit: 8.5 })
    const found = [
      { target: more('h1'), key },
      { target: more('h2'), key: two },
      { target: more('h3'), key: gone },
      { target: more('h4'), key: undefined, why: 'no such key' },
    ]
    const keys = [
      { student: ADA, key },
      { student: ADA, key: two },
    ]
    const reached = new Map([
      ['h1', 8],
      ['h3', 8.5],
    ])
    expect(next(keys, found, { reached }).map((each) => [each.hash, each.targetLimit])).toEqual([
      ['h1', '8.00'],
      ['h2', '+5'],
      ['h3', '8.50'],
      ['h4', '+5'],
    ])
  })

  it('keeps targets as they are written, beside what is', () => {
    expect(next([{ student: ADA, key }], [{ target, key }])).toEqual([
      {
        ...row(ADA, key),
        targetLimit: '$5',
        targetDisabled: 'YES',
        targetLimitReset: 'Weekly',
        extra: new Map([['note', 'tutor']]),
      },
    ])
  })

  it.each<[string, string | undefined, string[]]>([
    ['its key', 'h1', ['h1']],
    ['its hash, the key being gone', undefined, ['h1']],
    ['another key', 'h1', ['h2']],
    ['nothing', 'h1', []],
  ])('takes the targets of a row out where a newer instruction was about %s', (what, hash, answered) => {
    const asked = { targetLimit: '$5', targetDisabled: 'YES', targetLimitReset: 'Weekly' }
    const nothing = { targetLimit: '', targetDisabled: '', targetLimitReset: '' }
    const present = { target, key: hash === undefined ? undefined : key }
    const rows = next(hash === undefined ? [] : [{ student: ADA, key }], [present], {
      answered: new Set(answered),
    })
    const isOut = what !== 'another key' && what !== 'nothing'
    // A key that is there is to stay disabled; and the instructor's own columns stay.
    const left = hash === undefined ? nothing : { ...nothing, targetDisabled: 'YES' }
    expect(rows).toMatchObject([{ ...(isOut ? left : asked), extra: new Map([['note', 'tutor']]) }])
  })

  it('takes all targets out of the row of a key that was replaced', () => {
    const present = [{ target, key, replaced: true }]
    const [row] = next([{ student: ADA, key }], present, { answered: new Set(['h1']) })
    expect(row).toMatchObject({ targetLimit: '', targetDisabled: '', targetLimitReset: '' })
  })

  it('drops a row of a key that is gone where it asks for nothing more', () => {
    const row = { target: { ...target, extra: new Map() }, key: undefined, why: 'no such key' }
    expect(next([], [row], { answered: new Set(['h1']) })).toEqual([])
    expect(next([], [row])).toHaveLength(1)
  })

  it('keeps the row of a key that was replaced and is still there beside the row of the newer one', () => {
    const newer = aKey({ hash: 'h2', limit: 3 })
    const present = [{ target, key, why: 'its key was replaced', replaced: true }]
    const keys = [
      { student: ADA, key },
      { student: ADA, key: newer },
    ]
    expect(next(keys, present).map((row) => [row.hash, row.targetLimit])).toEqual([
      ['h1', '$5'],
      ['h2', ''],
    ])
  })

  it('writes the student as the roster knows them now', () => {
    const renamed = { ...ADA, email: 'ada.new@example.edu', name: 'Ada Reed' }
    expect(next([{ student: renamed, key }], [{ target, key }])).toMatchObject([renamed])
  })

  const gone = { hash: 'gone', keyName: '20250219_Bo Reed_48200002', ...BO, line: 9 }
  it.each<[string, Partial<Target>, boolean]>([
    ['a limit', { limit: 5, written: { limit: '5', disabled: '', limitReset: '' } }, true],
    ['a limit of zero', { limit: 0, written: { limit: '0', disabled: '', limitReset: '' } }, true],
    ['no limit', { limit: null, written: { limit: 'unlimited', disabled: '', limitReset: '' } }, true],
    ['enabling', { disabled: false, written: { limit: '', disabled: 'false', limitReset: '' } }, true],
    ['a reset', { limitReset: 'daily', written: { limit: '', disabled: '', limitReset: 'daily' } }, true],
    ['no reset', { limitReset: null, written: { limit: '', disabled: '', limitReset: 'none' } }, true],
    ['nothing, but with a note', { extra: new Map([['note', 'ask Bo']]) }, true],
    ['nothing', { extra: new Map([['note', '']]) }, false],
  ])('a row of no key of the class that asks for %s is kept: %s', (_, over, kept) => {
    const rows = next([], [{ target: aTarget({ ...gone, ...over }), key: undefined, why: 'no such key' }])
    const { limit, disabled, limitReset } = over.written ?? { limit: '', disabled: '', limitReset: '' }
    const expected = {
      ...BO,
      targetLimit: limit,
      targetDisabled: disabled,
      targetLimitReset: limitReset,
      keyName: gone.keyName,
      hash: 'gone',
      actual: undefined,
      extra: over.extra ?? new Map(),
    }
    expect(rows).toEqual(kept ? [expected] : [])
  })

  it('keeps a target about a key of somebody who has left the roster, with what is', () => {
    expect(next([], [{ target, key }])).toEqual([
      {
        ...row(ADA, key),
        targetLimit: '$5',
        targetDisabled: 'YES',
        targetLimitReset: 'Weekly',
        extra: new Map([['note', 'tutor']]),
      },
    ])
    expect(next([], [{ target: aTarget({ hash: 'h1' }), key }])).toEqual([])
  })

  it('loses no target and invents none, whatever is found', () => {
    const found = fc.array(
      fc.record({
        hash: fc.integer({ min: 0, max: 4 }),
        limit: fc.constantFrom('', '5', 'unlimited'),
        known: fc.boolean(),
      }),
      { maxLength: 6 },
    )
    fc.assert(
      fc.property(found, fc.subarray([0, 1, 2, 3, 4]), (wishes, ofClass) => {
        const taken = new Set<number>()
        const targets: FoundTarget[] = wishes.map(({ hash, limit, known }, i) => {
          const free = known && !taken.has(hash)
          taken.add(hash)
          const written = { limit, disabled: '', limitReset: '' }
          const value = limit === '' ? undefined : limit === '5' ? 5 : null
          return {
            target: aTarget({ line: i + 2, hash: `h${hash}`, limit: value, written }),
            key: free ? aKey({ hash: `h${hash}` }) : undefined,
          }
        })
        const keys = ofClass.map((n) => ({ student: ADA, key: aKey({ hash: `h${n}` }) }))
        const rows = next(keys, targets)
        const asked = targets.map(({ target }) => target.written.limit).filter((text) => text !== '')
        expect(
          rows
            .map((r) => r.targetLimit)
            .filter((text) => text !== '')
            .sort(),
        ).toEqual(asked.sort())
        for (const { key } of keys)
          expect(rows.filter((r) => r.actual && r.hash === key.hash)).toHaveLength(1)
      }),
    )
  })
})
