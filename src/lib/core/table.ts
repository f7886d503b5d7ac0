import type { Problem } from './errors.js'

/** One row of a file of separated values: the line it starts on, and its trimmed cells by column. */
export interface Row {
  line: number
  cells: ReadonlyMap<string, string>
}

/**
 * A file of separated values, read but not yet understood. Column names are in the form of `columnKey`;
 * blank rows are left out.
 */
export interface Table {
  columns: readonly string[]
  /** The header as the file spells it, by column. */
  titles: ReadonlyMap<string, string>
  rows: readonly Row[]
  /** What is wrong with the file as such: quotes that do not close, too many cells, a column twice. */
  problems: readonly Problem[]
}

/** The form in which column names are compared: `MQ ID`, ` mq_id ` and `Mq-Id` are one column. */
export function columnKey(header: string): string {
  return header
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, '_')
}

/** A cell of a row; empty where the column is missing. */
export function cell(row: Row, column: string): string {
  return row.cells.get(column) ?? ''
}

/**
 * One problem for each column that the file must have and has not, the last of which tells what there is to rename; none
 * where the file is empty, which is a problem by itself.
 */
export function missingColumns(table: Table, required: readonly string[]): Problem[] {
  if (table.columns.length === 0) return []
  const there = [...table.titles.values()].join(', ')
  const missing = required.filter((column) => !table.columns.includes(column))
  const message = 'this column is missing'
  return missing.map((column, i) => ({
    line: 1,
    column,
    message: i < missing.length - 1 ? message : `${message}; the file has ${there}: rename what is meant`,
  }))
}
