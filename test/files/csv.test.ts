import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvText, parseCsv } from '../../src/lib/files/csv.js'

/** The rows of a text: the line each starts on, and its cells. */
const rowsOf = (text: string) => parseCsv(text).rows.map(({ line, cells }) => [line, ...cells.values()])
const problemsOf = (text: string) => parseCsv(text).problems.map(({ line, message }) => [line, message])

describe('parseCsv', () => {
  it.each<[string, string, (number | string)[][]]>([
    [
      'commas',
      'a,b\n1,2\n3,4\n',
      [
        [2, '1', '2'],
        [3, '3', '4'],
      ],
    ],
    ['no line end at the end', 'a,b\n1,2', [[2, '1', '2']]],
    [
      'CRLF',
      'a,b\r\n1,2\r\n3,4\r\n',
      [
        [2, '1', '2'],
        [3, '3', '4'],
      ],
    ],
    [
      'CR alone',
      'a,b\r1,2\r3,4\r',
      [
        [2, '1', '2'],
        [3, '3', '4'],
      ],
    ],
    [
      'CRLF, then LF',
      'a,b\r\n1,2\n3,4\n',
      [
        [2, '1', '2'],
        [3, '3', '4'],
      ],
    ],
    [
      'LF, then CRLF',
      'a,b\n1,2\r\n3,4\r\n',
      [
        [2, '1', '2'],
        [3, '3', '4'],
      ],
    ],
    ['a byte order mark', '\ufeffa,b\n1,2', [[2, '1', '2']]],
    ['semicolons', 'a;b\n1;2,5\n', [[2, '1', '2,5']]],
    ['tabs', 'a\tb\n1\t2,5;\n', [[2, '1', '2,5;']]],
    ['a separator in a quoted title', '"a;b;c",d\n1,2\n', [[2, '1', '2']]],
    [
      'one column',
      'a\n1\n2\n',
      [
        [2, '1'],
        [3, '2'],
      ],
    ],
    ['commas in cells', 'a,b\n"1,1","2"\n', [[2, '1,1', '2']]],
    ['quotes in cells', 'a,b\n"say ""hi""",2\n', [[2, 'say "hi"', '2']]],
    [
      'line breaks in cells',
      'a,b\n"1\n1",2\n3,4\n',
      [
        [2, '1\n1', '2'],
        [4, '3', '4'],
      ],
    ],
    [
      'CRLF in cells',
      'a,b\r\n"1\r\n\r\n1",2\r\n3,4\r\n',
      [
        [2, '1\n\n1', '2'],
        [5, '3', '4'],
      ],
    ],
    ['a line break in a title', '"a\nx",b\n1,2\n', [[3, '1', '2']]],
    [
      'blank lines',
      '\n\n \na,b\n\n1,2\n,\n \n3,4\n\n',
      [
        [6, '1', '2'],
        [9, '3', '4'],
      ],
    ],
    ['blank lines with CRLF', '\r\na,b\r\n\r\n1,2\r\n', [[4, '1', '2']]],
    ['spaces around cells', ' a , b\n 1 ,\t2\u00a0\n', [[2, '1', '2']]],
    ['short rows', 'a,b,c\n1\n', [[2, '1', '', '']]],
    ['empty cells beyond the header', 'a,b\n1,2,,\n', [[2, '1', '2']]],
    ['numbers stay text', 'a,b,c,d\n00123,1e3,0x10,true\n', [[2, '00123', '1e3', '0x10', 'true']]],
    ['words that JavaScript knows', 'a,b\nnull,__proto__\n', [[2, 'null', '__proto__']]],
    ['only a header', 'a,b\n', []],
    ['a separator that the first line names', 'sep=;\na,x;b\n1,5;2\n', [[3, '1,5', '2']]],
    ['the same as Excel and others write it', '\ufeff"SEP=|"\r\na|b\r\n1|2,5\r\n', [[3, '1', '2,5']]],
    ['the same with a tab', 'sep=\t\na,x\tb\n1\t2\n', [[3, '1', '2']]],
    ['the same filled up by a spreadsheet', 'sep=,,,\na,b\n1,2\n', [[3, '1', '2']]],
    ['a column that is called so', 'sep=a,b\n1,2\n', [[2, '1', '2']]],
    ['a separator that is named too late', 'a;b\nsep=,\n', [[2, 'sep=,', '']]],
  ])('%s', (_, text, rows) => {
    expect(rowsOf(text)).toEqual(rows)
    expect(parseCsv(text).problems).toEqual([])
  })

  it('knows columns by name, however they are spelt, and keeps the spelling', () => {
    const { columns, titles } = parseCsv(' MQ  ID ,Email,My-Notes\n')
    expect(columns).toEqual(['mq_id', 'email', 'my_notes'])
    expect([...titles]).toEqual([
      ['mq_id', 'MQ  ID'],
      ['email', 'Email'],
      ['my_notes', 'My-Notes'],
    ])
  })

  it('takes away what nobody sees, from cells and titles', () => {
    const hidden = [
      0xad, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x202a, 0x202e, 0x2060, 0x2066, 0x2069, 0xfeff,
    ]
    for (const code of hidden) {
      const c = String.fromCharCode(code)
      const text = `${c}a${c},${c}"b"\n${c}A${c}da${c},${c}"x@y.z${c}"${c}\n${c},${c}${c}\n`
      const { columns, titles, rows, problems } = parseCsv(text)
      expect([columns, [...titles.values()], problems], code.toString(16)).toEqual([
        ['a', 'b'],
        ['a', 'b'],
        [],
      ])
      expect(rows.map(({ line, cells }) => [line, ...cells.values()])).toEqual([[2, 'Ada', 'x@y.z']])
    }
  })

  it.each([
    ['Persian', 'نی\u200cما'],
    ['Hindi', 'क्\u200dष'],
    ['Sinhala', 'ශ්\u200dරී'],
    ['a picture of several', '👩\u200d🎓'],
    ['a picture with a colour', '👩🏽\u200d🎓'],
  ])('leaves a joiner where it joins: %s', (_, text) => {
    expect(rowsOf(`a\n\u200d${text}\u200c\n`)).toEqual([[2, text]])
  })

  it.each(['\u00a0', '\u202f'])('takes no-break spaces (%j) for spaces at both ends', (space) => {
    expect(
      parseCsv(`${space}mq${space}id,b${space}\n${space}1${space},${space}Ada${space}May\n`),
    ).toMatchObject({
      columns: ['mq_id', 'b'],
      rows: [
        {
          cells: new Map([
            ['mq_id', '1'],
            ['b', `Ada${space}May`],
          ]),
        },
      ],
    })
  })

  it('keeps the cells of columns without a title apart', () => {
    const { rows, problems } = parseCsv('a,,\n1,2,3\n')
    expect(rows.map(({ cells }) => [...cells.values()])).toEqual([['1', '2', '3']])
    expect(problems).toEqual([])
  })

  it('takes a spreadsheet’s apostrophe away from what would be a formula, and from nothing else', () => {
    const cells = ["'=1", "'+1", "'-", "'@x", "'t Hart", "''=1", "'", "'1"]
    expect(rowsOf(`a\n${cells.join('\n')}\n`).map(([, text]) => text)).toEqual([
      '=1',
      '+1',
      '-',
      '@x',
      "'t Hart",
      "''=1",
      "'",
      "'1",
    ])
  })
})

describe('problems of a file as such', () => {
  const NOT_CLOSED = 'a quotation mark is not closed'

  it.each<[string, string, unknown[][]]>([
    ['empty', '', [[undefined, 'the file is empty']]],
    ['nothing but blank lines', ' \n\n,,\n', [[undefined, 'the file is empty']]],
    ['a column twice', 'a,b,A \n1,2,3', [[1, 'this column is there twice']]],
    ['a column three times, below a blank line', '\na,a,a\n', [[2, 'this column is there twice']]],
    ['an open quotation mark', 'a,b\n1,2\n3,"4\n5,6\n', [[3, NOT_CLOSED]]],
    ['an open quotation mark behind a line break in a cell', 'a,b\n"1\n1",2\n"3,4\n', [[4, NOT_CLOSED]]],
  ])('%s', (_, text, problems) => expect(problemsOf(text)).toEqual(problems))

  it('tells text behind a closing quotation mark', () => {
    expect(problemsOf('a,b\n1,"2" x\n')[0]).toEqual([2, NOT_CLOSED])
  })

  it.each([
    ['a,b\n1,2,3\n', 2, '3', '3 and 2'],
    ['a,b\n"1\n1",2\n1,2,,3,4\n', 4, '3, 4', '5 and 2'],
    // A space before the quotation mark makes it part of the cell.
    ['a,b\n1, "2, 3"\n', 2, '3"', '3 and 2'],
  ])('%j has too many cells', (text, line, value, counts) => {
    expect(parseCsv(text).problems).toEqual([
      {
        line,
        value,
        message: `has more cells than the header has columns (${counts}); is a comma in a name not quoted?`,
      },
    ])
  })

  it('names the column that is there twice', () => {
    expect(parseCsv('Mq ID,mq_id\n').problems).toEqual([
      { line: 1, column: 'mq_id', message: 'this column is there twice' },
    ])
  })
})

describe('csvText', () => {
  it.each<[string, string[][], string]>([
    ['plain cells', [['1', '2']], 'a,b\n1,2\n'],
    ['no rows', [], 'a,b\n'],
    ['empty cells', [['', '']], 'a,b\n,\n'],
    [
      'commas, quotes, line breaks',
      [
        ['1,1', 'say "hi"'],
        ['x\ny', ''],
      ],
      'a,b\n"1,1","say ""hi"""\n"x\ny",\n',
    ],
    ['semicolons stay', [['1;2', '']], 'a,b\n1;2,\n'],
  ])('%s', (_, rows, text) => expect(csvText(['a', 'b'], rows)).toBe(text))

  it.each([
    '=1+1',
    '+1',
    '-1',
    '-',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '=1\n2',
    '=HYPERLINK("http://x","y")',
    '=1,2',
  ])('defuses %j, in cells and titles', (text) => {
    const quoted = `"'${text.replaceAll('"', '""')}"`
    expect(csvText(['a'], [[text]])).toBe(`a\n${quoted}\n`)
    expect(csvText([text], [])).toBe(`${quoted}\n`)
  })

  it.each(['1=1', "O'Neil", 'a-b', 'ada@example.edu', "'t Hart"])('leaves %j as it is', (text) => {
    expect(csvText(['a'], [[text]])).toBe(`a\n${text}\n`)
  })

  it('writes what parseCsv reads back, cell by cell', () => {
    const cell = fc
      .oneof(fc.string({ unit: fc.constantFrom(...'ab,;"\n\t =+-@é王') }), fc.string({ unit: 'grapheme' }))
      .map((text) => text.replace(/\r\n?/g, '\n').trim())
      // An apostrophe that is already there cannot be told from the one that defuses.
      .filter((text) => !/^'[=+\-@\t\r]/.test(text))
      // What nobody sees is taken away when it is read; a separator is only named in the first line of all.
      .filter((text) => !/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/.test(text))
    const row = fc.tuple(cell, cell, cell).filter((cells) => cells.some((text) => text !== ''))
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const { rows: back, problems } = parseCsv(csvText(['a', 'b', 'c'], rows))
        expect(problems).toEqual([])
        expect(back.map(({ cells }) => [...cells.values()])).toEqual(rows)
      }),
    )
  })

  it('lets no cell begin with what a spreadsheet runs', () => {
    fc.assert(
      fc.property(fc.constantFrom('=', '+', '-', '@', '\t', '\r'), fc.string(), (first, rest) => {
        expect(csvText(['a'], [[first + rest]])).toMatch(/^a\n"'/)
      }),
    )
  })

  it('counts the lines of what it writes', () => {
    const cell = fc.string({ unit: fc.constantFrom('x', '\n', '"', ',') })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constant('x'), cell)), (rows) => {
        const text = csvText(['a', 'b'], rows)
        const lines = rows.map((_, i) => csvText(['a', 'b'], rows.slice(0, i)).split('\n').length)
        expect(parseCsv(text).rows.map(({ line }) => line)).toEqual(lines)
      }),
    )
  })
})
