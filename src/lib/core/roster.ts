import type { Problem } from './errors.js'
import { parseExpiry } from './expiry.js'
import { isMqId, mqIdKey } from './key-name.js'
import { parseLimitReset, parseUsd } from './money.js'
import { emailKey, isPlaceholder, type Student } from './student.js'
import { cell, missingColumns, type Row, type Table } from './table.js'

/** A roster that has no problems left. */
export interface Roster {
  /** Every row, the ones with a placeholder address included. */
  students: Student[]
}

const REQUIRED = ['first_name', 'last_name', 'email', 'mq_id'] as const
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
/** Control characters and line breaks: a key's name that holds one could not be read back. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029]/u

/**
 * Understands a roster: every row is checked by itself and against the others.
 * @returns the students in the order of the file, and every problem in the order of its lines
 */
export function readRoster(table: Table): { roster: Roster; problems: Problem[] } {
  const missing = missingColumns(table, REQUIRED)
  if (missing.length > 0) return { roster: { students: [] }, problems: [...table.problems, ...missing] }
  const problems = [
    ...table.problems,
    ...table.rows.flatMap(rowProblems),
    ...repeated(table.rows, 'mq_id', mqIdKey, 'another student has this MQ ID'),
    ...repeated(table.rows, 'email', emailKey, 'another student has this address'),
  ]
  return {
    roster: { students: table.rows.map(toStudent) },
    problems: problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  }
}

/** The students that a key can be made for, and those whose address is still a placeholder. */
export function withoutPlaceholders(students: readonly Student[]): {
  real: Student[]
  placeholders: Student[]
} {
  return {
    real: students.filter((s) => !isPlaceholder(s.email)),
    placeholders: students.filter((s) => isPlaceholder(s.email)),
  }
}

function toStudent(row: Row): Student {
  return {
    line: row.line,
    firstName: cell(row, 'first_name'),
    lastName: cell(row, 'last_name'),
    email: cell(row, 'email'),
    mqId: cell(row, 'mq_id'),
    budget: parseUsd(cell(row, 'budget')),
    limitReset: parseLimitReset(cell(row, 'limit_reset')) ?? null,
    expiresAt: parseExpiry(cell(row, 'expires_at')),
  }
}

function rowProblems(row: Row): Problem[] {
  const problems: Problem[] = []
  const problem = (column: string, message: string) => {
    const value = cell(row, column)
    problems.push(
      value === '' ? { line: row.line, column, message } : { line: row.line, column, value, message },
    )
  }
  for (const column of ['first_name', 'last_name'] as const) {
    if (cell(row, column) === '') {
      problem(
        column,
        column === 'last_name' ? 'is empty; write - for a student with a single name' : 'is empty',
      )
    } else if (UNPRINTABLE.test(cell(row, column))) {
      problem(column, 'holds a line break or another character that cannot be printed')
    }
  }
  const email = cell(row, 'email')
  if (email === '') problem('email', 'is empty')
  else if (!EMAIL.test(email) || UNPRINTABLE.test(email)) problem('email', 'is not an address')
  const mqId = cell(row, 'mq_id')
  if (mqId === '') problem('mq_id', 'is empty')
  else if (!isMqId(mqId)) {
    problem('mq_id', "may consist of letters and digits only, since it is read back from the key's name")
  }
  const budget = cell(row, 'budget')
  if (budget !== '' && parseUsd(budget) === undefined) {
    problem('budget', 'is not an amount of dollars, such as 5 or 2.50')
  }
  if (parseLimitReset(cell(row, 'limit_reset')) === undefined) {
    problem('limit_reset', 'is not daily, weekly, monthly or empty')
  }
  const expiry = cell(row, 'expires_at')
  if (expiry !== '' && parseExpiry(expiry) === undefined) {
    problem('expires_at', 'is not a day such as 2026-11-30')
  }
  return problems
}

/** A problem for each row whose cell, in the form given, stands in an earlier row too. */
function repeated(
  rows: readonly Row[],
  column: string,
  form: (text: string) => string,
  message: string,
): Problem[] {
  const first = new Map<string, number>()
  return rows.flatMap((row) => {
    const value = cell(row, column)
    if (value === '') return []
    const earlier = first.get(form(value))
    if (earlier !== undefined)
      return [{ line: row.line, column, value, message: `${message} (line ${earlier})` }]
    first.set(form(value), row.line)
    return []
  })
}
