import { shortened, widthOf } from './text-width.js'

/** A column of a table. */
export interface Column {
  title: string
  /** Numbers stand to the right. */
  align?: 'left' | 'right'
  /** A column that may be shortened, so that the table fits the terminal. */
  flexible?: boolean
  /** Where it is shortened: at the end, unless it says the middle, for what is told apart by its end. */
  cut?: 'end' | 'middle'
}

/** A column of key names: they begin with the same day, and end with the MQ ID. */
export function keyNameColumn(title = 'KEY NAME'): Column {
  return { title, flexible: true, cut: 'middle' }
}

const GAP = '  '
/** Names are free text at OpenRouter: nothing in them may move the cursor or change the colour. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]/gu

/** A text without anything that would move the cursor or change the colour. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ')
}

/** A shortened column keeps at least this many characters. */
const NARROWEST = 6

/**
 * Lays out a table: a header, and one line a row. Where it is wider than the terminal, the flexible columns
 * give way, the widest first.
 * @param width characters in a line; undefined for a pipe, where nothing is shortened
 */
export function tableLines(
  columns: readonly Column[],
  content: readonly (readonly string[])[],
  width?: number,
): string[] {
  const rows = content.map((cells) => cells.map(printable))
  const titles = columns.map((column) => column.title)
  const wanted = columns.map((_, i) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), widthOf(titles[i] ?? '')),
  )
  const widths = width === undefined ? wanted : fitWidths(columns, wanted, width)
  return [titles, ...rows].map((cells) =>
    columns
      .map((column, i) => place(cells[i] ?? '', widths[i] ?? 0, column))
      .join(GAP)
      .trimEnd(),
  )
}

/** Shortens the widest flexible column, again and again, until the table fits or nothing more can give way. */
function fitWidths(columns: readonly Column[], wanted: readonly number[], width: number): number[] {
  const widths = [...wanted]
  const total = () => widths.reduce((sum, w) => sum + w, GAP.length * (widths.length - 1))
  for (let excess = total() - width; excess > 0; excess--) {
    const flexible = columns.flatMap((column, i) =>
      column.flexible && (widths[i] ?? 0) > NARROWEST ? [i] : [],
    )
    const widest = flexible.reduce<number | undefined>(
      (best, i) => (best === undefined || (widths[i] ?? 0) > (widths[best] ?? 0) ? i : best),
      undefined,
    )
    if (widest === undefined) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

function place(text: string, width: number, { align, cut }: Column): string {
  const short = shorten(text, width, cut)
  const padding = ' '.repeat(Math.max(0, width - widthOf(short)))
  return align === 'right' ? padding + short : short + padding
}

function shorten(text: string, width: number, cut: Column['cut']): string {
  if (widthOf(text) <= width) return text
  const cutTo = cut === 'middle' ? cutMiddle : shortened
  // Where the cut falls into a wide character, what comes out may be one column too wide.
  const short = cutTo(text, width)
  return widthOf(short) <= width ? short : cutTo(text, width - 1)
}

/** Leaves a quarter to the beginning, and the rest to the end. */
function cutMiddle(text: string, width: number): string {
  const head = Math.floor(width / 4)
  const tail = shortened(text, width - head, 'end').slice(1)
  return shortened(text, head + 1) + tail
}

/**
 * The width that tables have to fit, in characters: the terminal's; for a pipe or a file that of `COLUMNS`,
 * where it is set, and else undefined, since there nothing needs to be shortened.
 */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : Number(process.env.COLUMNS) || undefined
}
