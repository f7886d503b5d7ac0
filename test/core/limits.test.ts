import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import {
  type FoundTarget,
  findTargets,
  LIMITS_COLUMNS,
  nextLimits,
  parseDisabled,
  parseTargetReset,
  readTargets,
  type Target,
} from '../../src/lib/core/limits.js'
import { parseCsv } from '../../src/lib/files/csv.js'
import { aKey } from './make.js'

const read = (text: string) => readTargets(parseCsv(text))
const HEADER = LIMITS_COLUMNS.join(',')
const ADA = { email: 'ada@example.edu', name: 'Ada Quill', mqId: '48200001' }
const BO = { email: 'bo@example.edu', name: 'Bo Reed', mqId: '48200002' }

function aTarget(over: Partial<Target> = {}): Target {
  return {
    line: 2,
    ...ADA,
    limit: undefined,
    disabled: undefined,
    limitReset: undefined,
    keyName: '',
    hash: '',
    actualLimit: undefined,
    written: { limit: '', disabled: '', limitReset: '' },
    extra: new Map(),
    ...over,
  }
}

describe('parseDisabled', () => {
  it.each(['true', 'TRUE', ' True ', 'yes', 'Y', '1'])('%j asks to disable', (t) =>
    expect(parseDisabled(t)).toBe(true),
  )
  it.each(['false', 'FALSE', 'no', 'n', '0'])('%j asks to enable', (t) =>
    expect(parseDisabled(t)).toBe(false),
  )
  it.each(['', 'perhaps', 'disabled', 'on', '2', 'nope'])('%j is not read', (t) => {
    expect(parseDisabled(t)).toBeUndefined()
  })
})

describe('parseTargetReset', () => {
  it.each([
    ['daily', 'daily'],
    [' WEEKLY ', 'weekly'],
    ['Monthly', 'monthly'],
    ['none', null],
    ['None', null],
    ['NEVER', null],
    ['', undefined],
    ['yearly', undefined],
    ['null', undefined],
    ['no', undefined],
    ['0', undefined],
  ])('%j: %s', (text, reset) => expect(parseTargetReset(text)).toBe(reset))
})

describe('readTargets', () => {
  it.each([
    ['', '', undefined, undefined],
    ['5', '', 5, undefined],
    ['$5.00', 'TRUE', 5, true],
    ['0', 'no', 0, false],
    ['Unlimited', 'false', null, false],
    ['+5', '', { add: 5 }, undefined],
    ['+ $2.50', 'no', { add: 2.5 }, false],
    ['', 'true', undefined, true],
  ])('target_limit %j and target_disabled %j', (limit, disabled, wantedLimit, wantedDisabled) => {
    const { targets, problems } = read(
      `${HEADER}\nada@example.edu,Ada Quill,48200001,${limit},3.00,${disabled},false,20260219_Ada Quill_48200001,h1`,
    )
    expect(problems).toEqual([])
    expect(targets).toEqual([
      aTarget({
        limit: wantedLimit,
        disabled: wantedDisabled,
        actualLimit: 3,
        written: { limit, disabled, limitReset: '' },
        keyName: '20260219_Ada Quill_48200001',
        hash: 'h1',
      }),
    ])
  })

  it('takes a file with nothing but addresses and targets, and keeps the other columns', () => {
    const { targets, problems } = read(
      'My Notes,Email,Target Limit,Target Disabled\ntutor,ada@example.edu,5,',
    )
    expect(problems).toEqual([])
    expect(targets).toEqual([
      aTarget({
        name: '',
        mqId: '',
        limit: 5,
        written: { limit: '5', disabled: '', limitReset: '' },
        extra: new Map([['My Notes', 'tutor']]),
      }),
    ])
  })

  it('tells every cell that cannot be read, in the order of the lines', () => {
    const { problems } = read(
      `${HEADER}\na@x.edu,,,lots,,perhaps,,,h1\nb@x.edu,,,1,,true,,,h2\nc@x.edu,,,-1,,,,,h3\n,,,1,,,,,\nd@x.edu,,,,,,,,h1`,
    )
    const limit = 'is neither an amount of dollars, nor unlimited, nor empty'
    expect(problems).toEqual([
      { line: 2, column: 'target_limit', value: 'lots', message: limit },
      {
        line: 2,
        column: 'target_disabled',
        value: 'perhaps',
        message: 'is neither true, nor false, nor empty',
      },
      { line: 4, column: 'target_limit', value: '-1', message: limit },
      { line: 5, column: 'email', message: 'is empty, and so is hash: which key is meant?' },
      { line: 6, column: 'hash', value: 'h1', message: 'line 2 is about the same key' },
    ])
  })

  it.each([
    ['', undefined],
    ['Daily', 'daily'],
    ['none', null],
  ])('target_limit_reset %j', (limitReset, wanted) => {
    const { targets, problems } = read(`${HEADER}\na@x.edu,,,,,,,,h1,${limitReset},weekly`)
    expect(problems).toEqual([])
    expect(targets).toMatchObject([{ limitReset: wanted, written: { limitReset } }])
  })

  it('tells a reset period that cannot be read beside the other cells of its line', () => {
    const { problems } = read(`${HEADER}\na@x.edu,,,lots,,,,,h1,yearly,\nb@x.edu,,,,,,,,h2,0,`)
    const message = 'is neither daily, nor weekly, nor monthly, nor none, nor empty'
    expect(problems).toMatchObject([
      { line: 2, column: 'target_limit', value: 'lots' },
      { line: 2, column: 'target_limit_reset', value: 'yearly', message },
      { line: 3, column: 'target_limit_reset', value: '0', message },
    ])
  })

  it('asks for no reset period where the file has no such column', () => {
    const nine = LIMITS_COLUMNS.slice(0, 9).join(',')
    expect(read(`${nine}\na@x.edu,,,5,3.00,,false,,h1`).targets).toMatchObject([
      { limit: 5, limitReset: undefined, written: { limitReset: '' } },
    ])
  })

  it.each([
    ['3.00', 3],
    ['unlimited', null],
    ['', undefined],
    ['?', undefined],
  ])('takes %j for what the limit was', (actual, limit) => {
    const { targets, problems } = read(`${HEADER}\na@x.edu,,,,${actual},,,,h1,,`)
    expect(problems).toEqual([])
    expect(targets).toMatchObject([{ actualLimit: limit }])
  })

  it.each(['-5', '+', '+-5', '++5', '+5%', '+1,50', '+unlimited', '5+', '+1e2', '+$$5', '+1 0'])(
    'target_limit %j is a problem',
    (limit) => {
      expect(read(`${HEADER}\na@x.edu,,,"${limit}",,,,,h1,,`).problems).toMatchObject([
        { line: 2, column: 'target_limit', value: limit },
      ])
    },
  )

  it('names the first line of three about one key both times', () => {
    const { problems } = read(`${HEADER}\na@x.edu,,,,,,,,h1\nb@x.edu,,,,,,,,h1\nc@x.edu,,,,,,,,h1`)
    expect(problems.map(({ line, message }) => [line, message])).toEqual([
      [3, 'line 2 is about the same key'],
      [4, 'line 2 is about the same key'],
    ])
  })

  it('takes rows without a hash for different keys', () => {
    expect(read(`${HEADER}\na@x.edu,,,1,,,,,\nb@x.edu,,,1,,,,,`).problems).toEqual([])
  })

  it('needs the columns that it is about', () => {
    expect(read('name,hash\nAda,h1')).toEqual({
      targets: [],
      problems: ['email', 'target_limit', 'target_disabled'].map((column) => ({
        line: 1,
        column,
        message: 'this column is missing',
      })),
    })
  })

  it('loses no text from columns without a title', () => {
    const { targets, problems } = read(`${HEADER},,\nada@example.edu,,,5,,,,,h1,first note,second note`)
    const kept = targets.flatMap((target) => [...target.extra.values()])
    // Either both are kept or the file is refused: what must not happen is that one silently goes.
    expect(problems.length > 0 || (kept.includes('first note') && kept.includes('second note'))).toBe(true)
  })
})

describe('findTargets', () => {
  const one = aKey({ hash: 'one' })
  const two = aKey({ hash: 'two' })
  const off = aKey({ hash: 'off', disabled: true })
  const off2 = aKey({ hash: 'off2', disabled: true })
  const find = (targets: Target[], keys: Key[]) =>
    findTargets(targets, new Map(keys.map((key) => [key.hash, key])), (email) =>
      email === ADA.email ? keys : [],
    ).map(({ key, why }) => key?.hash ?? why)

  it.each([
    ['by hash', { hash: 'two' }, [one, two], 'two'],
    ['by hash, whoever the address is', { hash: 'two', email: 'x@example.edu' }, [one, two], 'two'],
    ['by address, where there is no hash', {}, [one], 'one'],
    ['by address, where the hash is gone', { hash: 'gone' }, [one], 'one'],
    ['by address, the only key being disabled', {}, [off], 'off'],
    ['by address, one of two being enabled', {}, [off, one], 'one'],
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
      email: fc.constantFrom(ADA.email, BO.email),
    })
    fc.assert(
      fc.property(fc.array(target, { maxLength: 6 }), fc.subarray([one, two, off]), (targets, keys) => {
        const rows = targets.map((over, i) => aTarget({ ...over, line: i + 2 }))
        const byHash = new Map(keys.map((key) => [key.hash, key]))
        const found = findTargets(rows, byHash, (email) => (email === ADA.email ? keys : []))
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
})

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
    expect(nextLimits(keys, [])).toEqual([row(ADA, key), row(BO, bos)])
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
    expect(nextLimits(keys, found, { reached }).map((each) => [each.hash, each.targetLimit])).toEqual([
      ['h1', '8.00'],
      ['h2', '+5'],
      ['h3', '8.50'],
      ['h4', '+5'],
    ])
  })

  it('keeps targets as they are written, beside what is', () => {
    expect(nextLimits([{ student: ADA, key }], [{ target, key }])).toEqual([
      {
        ...row(ADA, key),
        targetLimit: '$5',
        targetDisabled: 'YES',
        targetLimitReset: 'Weekly',
        extra: new Map([['note', 'tutor']]),
      },
    ])
  })

  it('writes the student as the roster knows them now', () => {
    const renamed = { ...ADA, email: 'ada.new@example.edu', name: 'Ada Reed' }
    expect(nextLimits([{ student: renamed, key }], [{ target, key }])).toMatchObject([renamed])
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
    const rows = nextLimits(
      [],
      [{ target: aTarget({ ...gone, ...over }), key: undefined, why: 'no such key' }],
    )
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
    expect(nextLimits([], [{ target, key }])).toEqual([
      {
        ...row(ADA, key),
        targetLimit: '$5',
        targetDisabled: 'YES',
        targetLimitReset: 'Weekly',
        extra: new Map([['note', 'tutor']]),
      },
    ])
    expect(nextLimits([], [{ target: aTarget({ hash: 'h1' }), key }])).toEqual([])
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
        const rows = nextLimits(keys, targets)
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
