import type { Problem } from './errors.js'
import { type Limit, type LimitReset, parseLimit, parseLimitReset, parseRaise, type Usd } from './money.js'
import { cell, missingColumns, type Row, type Table } from './table.js'

/** The columns of limits.csv that the tool knows, in their order. */
export const LIMITS_COLUMNS = [
  'email',
  'name',
  'mq_id',
  'target_limit',
  'actual_limit',
  'target_disabled',
  'actual_disabled',
  'key_name',
  'hash',
  // Behind the nine of the Python tool, so that whoever counts columns finds them where they were.
  'target_limit_reset',
  'actual_limit_reset',
] as const

/** A target that is relative to what the key may spend: `+5` asks for so many dollars more. */
export interface Raise {
  add: Usd
}

/** Whether a target limit is relative. */
export function isRaise(limit: Limit | Raise | undefined): limit is Raise {
  return typeof limit === 'object' && limit !== null
}

/** One row of limits.csv: what the instructor asks for one key. */
export interface Target {
  /** Line in the file; the header is line 1. */
  line: number
  email: string
  name: string
  mqId: string
  /** Undefined asks for nothing: "as it is". */
  limit: Limit | Raise | undefined
  /** Undefined asks for nothing: "as it is". */
  disabled: boolean | undefined
  /** Undefined asks for nothing: "as it is". */
  limitReset: LimitReset | undefined
  keyName: string
  hash: string
  /** The limit that the key had when the file was written; undefined where it does not say. */
  actualLimit: Limit | undefined
  /** The target cells as the instructor wrote them, to be written back unchanged. */
  written: { limit: string; disabled: string; limitReset: string }
  /** Cells of columns that are the instructor's own, by the header as the file spells it. */
  extra: ReadonlyMap<string, string>
}

const YES = new Set(['true', 'yes', 'y', '1'])
const NO = new Set(['false', 'no', 'n', '0'])

/** Reads `true` or `false` as spreadsheets and people write them; undefined for anything else. */
export function parseDisabled(text: string): boolean | undefined {
  const word = text.trim().toLowerCase()
  return YES.has(word) ? true : NO.has(word) ? false : undefined
}

function parseTargetLimit(text: string): Limit | Raise | undefined {
  const add = parseRaise(text)
  return add === undefined ? parseLimit(text) : { add }
}

const NEVER = new Set(['none', 'never'])

/** Reads a reset period that is asked for, in any case: `none` and `never` are no reset. Undefined for anything else. */
export function parseTargetReset(text: string): LimitReset | undefined {
  const word = text.trim().toLowerCase()
  if (NEVER.has(word)) return null
  return word === '' ? undefined : parseLimitReset(word)
}

/** Understands limits.csv; every cell that cannot be read, and every key that has two rows, is a problem. */
export function readTargets(table: Table): { targets: Target[]; problems: Problem[] } {
  const missing = missingColumns(table, ['email', 'target_limit', 'target_disabled'])
  if (missing.length > 0) return { targets: [], problems: [...table.problems, ...missing] }
  const problems = [...table.problems]
  const seen = new Map<string, number>()
  const targets = table.rows.map((row) => {
    problems.push(...cellProblems(row))
    const hash = cell(row, 'hash')
    const earlier = seen.get(hash)
    if (hash !== '' && earlier !== undefined) {
      problems.push({
        line: row.line,
        column: 'hash',
        value: hash,
        message: `line ${earlier} is about the same key`,
      })
    }
    seen.set(hash, earlier ?? row.line)
    return toTarget(row, table)
  })
  return { targets, problems: problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
}

function cellProblems(row: Row): Problem[] {
  const problems: Problem[] = []
  const limit = cell(row, 'target_limit')
  if (limit !== '' && parseTargetLimit(limit) === undefined) {
    const message = 'is neither an amount of dollars, nor unlimited, nor empty'
    problems.push({ line: row.line, column: 'target_limit', value: limit, message })
  }
  const disabled = cell(row, 'target_disabled')
  if (disabled !== '' && parseDisabled(disabled) === undefined) {
    const message = 'is neither true, nor false, nor empty'
    problems.push({ line: row.line, column: 'target_disabled', value: disabled, message })
  }
  const limitReset = cell(row, 'target_limit_reset')
  if (limitReset !== '' && parseTargetReset(limitReset) === undefined) {
    const message = 'is neither daily, nor weekly, nor monthly, nor none, nor empty'
    problems.push({ line: row.line, column: 'target_limit_reset', value: limitReset, message })
  }
  if (cell(row, 'hash') === '' && cell(row, 'email') === '') {
    problems.push({
      line: row.line,
      column: 'email',
      message: 'is empty, and so is hash: which key is meant?',
    })
  }
  return problems
}

const OURS: ReadonlySet<string> = new Set(LIMITS_COLUMNS)

function toTarget(row: Row, table: Table): Target {
  const written = {
    limit: cell(row, 'target_limit'),
    disabled: cell(row, 'target_disabled'),
    limitReset: cell(row, 'target_limit_reset'),
  }
  return {
    line: row.line,
    email: cell(row, 'email'),
    name: cell(row, 'name'),
    mqId: cell(row, 'mq_id'),
    limit: written.limit === '' ? undefined : parseTargetLimit(written.limit),
    disabled: written.disabled === '' ? undefined : parseDisabled(written.disabled),
    limitReset: parseTargetReset(written.limitReset),
    keyName: cell(row, 'key_name'),
    hash: cell(row, 'hash'),
    actualLimit: parseLimit(cell(row, 'actual_limit')),
    written,
    extra: new Map(
      [...table.titles]
        .filter(([column]) => !OURS.has(column))
        .map(([column, title]) => [title, cell(row, column)]),
    ),
  }
}

/** Whether a row asks for anything. */
export function hasTargets({ limit, disabled, limitReset }: Target): boolean {
  return [limit, disabled, limitReset].some((value) => value !== undefined)
}
