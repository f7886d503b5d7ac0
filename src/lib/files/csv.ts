import Papa from 'papaparse'
import type { Problem } from '../core/errors.js'
import { columnKey, type Row, type Table } from '../core/table.js'

/** What a spreadsheet puts before a cell that it must not run, and what we take away again when we read it. */
const DEFUSED = /^'(?=[=+\-@\t\r])/
/** Without an end: papaparse's own pattern overlooks a formula with a line break in it. */
const RUN_AS_FORMULA = /^[=+\-@\t\r]/

/**
 * What comes along unseen when text is copied from a web page: spaces of no width, marks of direction, soft
 * hyphens, byte order marks, and the two joiners where they join nothing: a name in Persian or Hindi needs these
 * between its letters, and a picture of several between its parts; an address does not.
 */
const INVISIBLE =
  /[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]|(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d]|[\u200c\u200d](?![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])|(?<=[A-Za-z])[\u200c\u200d](?=[A-Za-z])/gu

/** The first line by which a spreadsheet is told the separator, filled up with it where that spreadsheet wrote it. */
const SEPARATOR_LINE = /^"?sep=([^\w\s"]|\t)"?\1* *(?=\n|$)/i

/**
 * Reads separated values: `,`, `;` or tab, whichever the header uses, or what a first line `sep=;` says. A byte
 * order mark, CRLF and blank lines are accepted; cells are trimmed, and rid of what nobody sees. Everything stays
 * text: `00123` is not a number.
 */
export function parseCsv(text: string): Table {
  // One kind of line end, since papaparse takes the first one for all of them.
  const visible = text.replace(/\r\n?/g, '\n').replace(INVISIBLE, '')
  const problems: Problem[] = []
  const separator = SEPARATOR_LINE.exec(visible)?.[1]
  // Its line stays as a blank one, so that the others keep their numbers.
  const source = separator === undefined ? visible : visible.replace(SEPARATOR_LINE, '')
  const records = readRecords(source, separator ?? delimiterOf(source), problems)
  const header = records.find((record) => !isBlank(record.cells))
  if (!header)
    return { columns: [], titles: new Map(), rows: [], problems: [{ message: 'the file is empty' }] }
  const named = header.cells.map((title, i) => title || `column ${i + 1}`)
  const columns = named.map(columnKey)
  const twice = columns.filter((column, i) => columns.indexOf(column) !== i)
  problems.push(
    ...[...new Set(twice)].map((column) => ({
      line: header.line,
      column,
      message: 'this column is there twice',
    })),
  )
  const rows = records
    .slice(records.indexOf(header) + 1)
    .filter((record) => !isBlank(record.cells))
    .map((record) => toRow(record, columns, problems))
  return {
    columns,
    titles: new Map(columns.map((column, i) => [column, named[i] ?? ''])),
    rows,
    problems,
  }
}

interface Line {
  line: number
  cells: string[]
}

function readRecords(source: string, delimiter: string, problems: Problem[]): Line[] {
  const records: Line[] = []
  let line = 1
  let position = 0
  Papa.parse<string[]>(source, {
    delimiter,
    step: ({ data, errors, meta }) => {
      records.push({ line, cells: data.map((text) => text.trim().replace(DEFUSED, '')) })
      problems.push(
        ...errors
          .filter((e) => e.type === 'Quotes')
          .map(() => ({ line, message: 'a quotation mark is not closed' })),
      )
      line += linesIn(source, position, meta.cursor)
      position = meta.cursor
    },
  })
  return records
}

function toRow({ line, cells }: Line, columns: readonly string[], problems: Problem[]): Row {
  const beyond = cells.slice(columns.length).filter((text) => text !== '')
  if (beyond.length > 0) {
    const message = `has more cells than the header has columns (${cells.length} and ${columns.length}); is a comma in a name not quoted?`
    problems.push({ line, value: beyond.join(', '), message })
  }
  return { line, cells: new Map(columns.map((column, i) => [column, cells[i] ?? ''])) }
}

function isBlank(cells: readonly string[]): boolean {
  return cells.every((text) => text === '')
}

/** The separator that the first line with text uses most outside of quotes. */
function delimiterOf(source: string): string {
  const header = (/^[^\n\r]*\S[^\n\r]*$/m.exec(source)?.[0] ?? '').replace(/"[^"]*"/g, '')
  const count = (separator: string) => header.split(separator).length
  return [',', ';', '\t'].reduce((best, next) => (count(next) > count(best) ? next : best))
}

function linesIn(text: string, from: number, to: number): number {
  return text.slice(from, to).split('\n').length - 1
}

/**
 * Writes separated values, `,` and LF, a cell that a spreadsheet would run as a formula defused by a `'`.
 * @param columns the header, which is also the order of each row's cells
 */
export function csvText(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const text = Papa.unparse(
    { fields: [...columns], data: rows as string[][] },
    { newline: '\n', escapeFormulae: RUN_AS_FORMULA },
  )
  return text.endsWith('\n') ? text : `${text}\n`
}
