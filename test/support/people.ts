import { readFileSync, writeFileSync } from 'node:fs'
import Papa from 'papaparse'

/** One line of a roster as a person writes it. */
export interface RosterLine {
  first_name: string
  last_name: string
  email: string
  mq_id: string
  budget: string
  limit_reset: string
}

const FIRST = ['Ada', 'Bilal', 'Chiara', 'Dov', 'Eleni', 'Farid', 'Greta', 'Hana', 'Ivo', 'Jun']

/** The nth made-up student, counted from 1: a budget of $3 that never refills, unless said otherwise. */
export function student(n: number, over: Partial<RosterLine> = {}): RosterLine {
  const first = FIRST[(n - 1) % FIRST.length] ?? 'Ada'
  return {
    first_name: first,
    last_name: `Quill${n}`,
    email: `${first.toLowerCase()}.quill${n}@students.example.edu`,
    mq_id: String(48_200_000 + n),
    budget: '3',
    limit_reset: '',
    ...over,
  }
}

/** The first n made-up students. */
export function students(n: number, over: Partial<RosterLine> = {}): RosterLine[] {
  return Array.from({ length: n }, (_, i) => student(i + 1, over))
}

/** Writes a roster into the working directory. */
export function writeRoster(lines: readonly RosterLine[], path = 'roster.csv'): void {
  const columns = ['first_name', 'last_name', 'email', 'mq_id', 'budget', 'limit_reset']
  writeFileSync(path, `${Papa.unparse([...lines], { columns })}\n`)
}

/** The name that a key of a student has, made on a day like `20260219`. */
export function keyNameOf({ first_name, last_name, mq_id }: RosterLine, day = '20260219'): string {
  return `${day}_${first_name} ${last_name}_${mq_id}`
}

/** The cells of a CSV file, each line by the names of the columns. */
export function readCsv(path: string): Record<string, string>[] {
  return Papa.parse<Record<string, string>>(readFileSync(path, 'utf8'), {
    header: true,
    skipEmptyLines: true,
  }).data
}

/** The first line of a file. */
export function headerOf(path: string): string {
  return readFileSync(path, 'utf8').split(/\r?\n/)[0] ?? ''
}

/** The first columns of limits.csv, which are those of the Python tool. */
export const LIMITS_HEADER =
  'email,name,mq_id,target_limit,actual_limit,target_disabled,actual_disabled,key_name,hash'

/** Writes a limits file, one object a line; `columns` may hold the instructor's own. */
export function writeLimits(
  lines: readonly Record<string, string>[],
  columns: readonly string[] = LIMITS_HEADER.split(','),
  path = 'limits.csv',
): void {
  const cells = lines.map((line) => columns.map((column) => line[column] ?? ''))
  writeFileSync(path, `${Papa.unparse({ fields: [...columns], data: cells })}\n`)
}

/** Changes some cells of limits.csv, as the instructor does: by address. */
export function editLimits(edits: Record<string, Record<string, string>>, path = 'limits.csv'): void {
  const lines = readCsv(path).map((line) => ({ ...line, ...edits[line.email ?? ''] }))
  const unknown = Object.keys(edits).filter((email) => !lines.some((line) => line.email === email))
  if (unknown.length > 0) throw new Error(`${path} has no line for ${unknown.join(', ')}`)
  writeLimits(lines, headerOf(path).split(','), path)
}
