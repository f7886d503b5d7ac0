import fc from 'fast-check'
import stringWidth from 'string-width'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { count } from '../../src/lib/core/words.js'
import { type Column, keyNameColumn, tableLines, terminalWidth } from '../../src/lib/terminal/table.js'

const COLUMNS: readonly Column[] = [
  { title: 'ADDRESS', flexible: true },
  { title: 'KEY NAME', flexible: true },
  { title: 'LIMIT', align: 'right' },
  { title: 'STATUS' },
]
const ADA = ['ada.quill@students.example.edu', '20260219_Ada Quill_48200001', '$3.00', 'OK']
const BO = ['bo@example.edu', '20260219_Bo Reed_48200002', '$12.50', '']

const MIDDLE = COLUMNS.map((column) => ({ ...column, cut: 'middle' as const }))

describe('tableLines', () => {
  it('aligns the columns, numbers to the right, and leaves no blanks at the end', () => {
    expect(tableLines(COLUMNS, [ADA, BO])).toEqual([
      'ADDRESS                         KEY NAME                      LIMIT  STATUS',
      'ada.quill@students.example.edu  20260219_Ada Quill_48200001   $3.00  OK',
      'bo@example.edu                  20260219_Bo Reed_48200002    $12.50',
    ])
  })

  it('shortens nothing that fits', () => {
    expect(tableLines(COLUMNS, [ADA, BO], 75)).toEqual(tableLines(COLUMNS, [ADA, BO]))
  })

  it('shortens the widest first, and only what may be shortened', () => {
    expect(tableLines(COLUMNS, [ADA, BO], 60)).toEqual([
      'ADDRESS                KEY NAME                LIMIT  STATUS',
      'ada.quill@students.e…  20260219_Ada Quill_4…   $3.00  OK',
      'bo@example.edu         20260219_Bo Reed_482…  $12.50',
    ])
  })

  it('shortens a key name in the middle, so that the MQ ID stays', () => {
    const columns = [keyNameColumn(), { title: 'LIMIT', align: 'right' as const }]
    const rows = [ADA, BO].map(([, name = '', limit = '']) => [name, limit])
    expect(tableLines(columns, rows, 26)).toEqual([
      'KEY NAME             LIMIT',
      '2026…uill_48200001   $3.00',
      '2026…Reed_48200002  $12.50',
    ])
    expect(tableLines(columns, rows, 20)).toEqual([
      'KEY NAME       LIMIT',
      '202…48200001   $3.00',
      '202…48200002  $12.50',
    ])
  })

  it('leaves six characters of a column, and is too wide rather than empty', () => {
    expect(tableLines(COLUMNS, [ADA], 10)).toEqual([
      'ADDRE…  KEY N…  LIMIT  STATUS',
      'ada.q…  20260…  $3.00  OK',
    ])
  })

  it('shows a header alone', () => {
    expect(tableLines(COLUMNS, [])).toEqual(['ADDRESS  KEY NAME  LIMIT  STATUS'])
  })

  it('takes missing cells for empty ones', () => {
    expect(tableLines(COLUMNS, [['a']])[1]).toBe('a')
  })

  it.each([
    ['王小明', 'x'],
    ['👩‍🏫 Ada', 'x'],
    ['Zoë', 'x'],
    ['Zoe\u0308', 'x'],
  ])('aligns what follows %s by how wide it is, not how long', (name, rest) => {
    const [header = '', line = '', other = ''] = tableLines(
      [{ title: 'N', flexible: true }, { title: 'X' }],
      [
        [name, rest],
        ['plain name', rest],
      ],
    )
    const upToLast = (text: string) => stringWidth(text.slice(0, -1))
    expect([upToLast(line), upToLast(other)]).toEqual([upToLast(header), upToLast(header)])
  })

  it('aligns what follows a wide name that is shortened within a character', () => {
    const columns = [{ title: 'NAME', flexible: true }, { title: 'X' }]
    for (const width of [10, 11]) {
      const lines = tableLines(
        columns,
        [
          ['王王王王王王王', '1'],
          ['abcdefghijklmn', '2'],
        ],
        width,
      )
      expect(lines.map((line) => stringWidth(line))).toEqual([width, width, width])
    }
  })

  it('lets names neither break lines nor reach the terminal as commands', () => {
    const rows = [['two\nlines\r\u0085', 'a\u001b[31mred\u0007', '$1.00', '\u2028']]
    const text = tableLines(COLUMNS, rows).join('\n')
    expect(text.split('\n')).toHaveLength(2)
    expect(text.replace('\n', '')).not.toMatch(/\p{Cc}|\u2028/u)
  })

  it('shortens nothing in a pipe, not even a name with a character that cannot be shown', () => {
    const [, line = ''] = tableLines([{ title: 'N', flexible: true }], [['two\nlines of \u001b[31mred']])
    expect(line).toMatch(/^two.lines of .+red$/)
    expect(line).not.toContain('…')
  })

  it.each([
    [80, 'end', COLUMNS],
    [120, 'end', COLUMNS],
    [80, 'middle', MIDDLE],
  ] as const)(
    'fits %i characters whatever is in the flexible columns, cut at the %s',
    (width, _, columns) => {
      const name = fc.oneof(
        fc.string({ unit: 'grapheme', maxLength: 80 }),
        fc.string({ unit: fc.constantFrom('王', 'a', ' '), maxLength: 90 }),
      )
      const amount = fc.constantFrom('$3.00', 'unlimited', '$1234.50')
      const status = fc.constantFrom('OK', 'FIX EMAIL, disabled', '')
      fc.assert(
        fc.property(fc.array(fc.tuple(name, name, amount, status), { maxLength: 8 }), (rows) => {
          const lines = tableLines(columns, rows, width)
          expect(lines).toHaveLength(rows.length + 1)
          for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width)
          // The last two columns are never shortened.
          rows.forEach(([, , limit, what], i) => {
            expect(lines[i + 1]?.endsWith(`${limit}  ${what}`.trimEnd())).toBe(true)
          })
        }),
        { numRuns: 300 },
      )
    },
  )
})

it.each([
  [0, '0 keys'],
  [1, '1 key'],
  [2, '2 keys'],
])('counts %i', (n, text) => expect(count(n, 'key')).toBe(text))

it('counts what has a plural of its own', () => {
  expect([count(1, 'student has', 'students have'), count(2, 'student has', 'students have')]).toEqual([
    '1 student has',
    '2 students have',
  ])
})

describe('terminalWidth', () => {
  const { isTTY, columns } = process.stdout
  afterEach(() => Object.assign(process.stdout, { isTTY, columns }))

  it.each([
    [true, 97, undefined, 97],
    [true, 97, '50', 97],
    [false, 97, undefined, undefined],
    [false, 97, '50', 50],
    [false, 97, 'wide', undefined],
    [false, 97, '0', undefined],
  ])('terminal %s of %s, COLUMNS %s: %s', (tty, wide, env, width) => {
    Object.assign(process.stdout, { isTTY: tty, columns: wide })
    vi.stubEnv('COLUMNS', env)
    expect(terminalWidth()).toBe(width)
  })
})
