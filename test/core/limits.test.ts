import { describe, expect, it } from 'vitest'
import { LIMITS_COLUMNS, parseDisabled, parseTargetReset, readTargets } from '../../src/lib/core/limits.js'
import { parseCsv } from '../../src/lib/files/csv.js'
import { aTarget } from './make.js'

const read = (text: string) => readTargets(parseCsv(text))
const HEADER = LIMITS_COLUMNS.join(',')

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
        message: expect.stringMatching(/^this column is missing/),
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
