import type { Problem } from './errors.js'
import type { Key } from './key.js'
import { mqIdKey, mqIdOfKeyName } from './key-name.js'
import {
  type Limit,
  type LimitReset,
  parseLimit,
  parseLimitReset,
  parseRaise,
  type Usd,
  usdText,
} from './money.js'
import { byEmail } from './student.js'
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

/** A target together with the key it is about. */
export interface FoundTarget {
  target: Target
  /** Undefined where no key, or no single key, is meant. */
  key: Key | undefined
  /** Why nothing is done for it, where nothing may be. */
  why?: string
}

/**
 * Finds the key of each target: by hash, else by address, where the address has one key or one enabled key.
 * A row of a key that was replaced by a newer one asks for nothing any more: it must neither bring the old one
 * back, nor be taken for the new one's.
 * @param keysOfEmail the keys of the student with an address, case aside
 * @param replaced the new hash by the old one
 */
export function findTargets(
  targets: readonly Target[],
  byHash: ReadonlyMap<string, Key>,
  keysOfEmail: (email: string) => readonly Key[],
  replaced: ReadonlyMap<string, string> = new Map(),
): FoundTarget[] {
  const lineOf = new Map<string, number>()
  const claim = (target: Target, key: Key): FoundTarget => {
    const earlier = lineOf.get(key.hash)
    if (earlier !== undefined) return { target, key: undefined, why: `line ${earlier} is about the same key` }
    lineOf.set(key.hash, target.line)
    return { target, key }
  }
  // A row that names a key by its hash comes before one that only means it by its address.
  const byName = new Map(
    targets.flatMap((target) => {
      const key = byHash.get(target.hash)
      if (replaced.has(target.hash) && asksForSomething(target))
        return [[target, { target, key, why: REPLACED }]]
      if (!key) return []
      return [[target, belongsElsewhere(target, key) ?? claim(target, key)] as const]
    }),
  )
  return targets.map((target) => {
    const named = byName.get(target)
    if (named) return named
    const theirs = keysOfEmail(target.email)
    const enabled = theirs.filter((k) => !k.disabled)
    const only = theirs.length === 1 ? theirs[0] : enabled.length === 1 ? enabled[0] : undefined
    if (only) return claim(target, only)
    if (theirs.length > 1) return { target, key: undefined, why: `${target.email} has ${theirs.length} keys` }
    return { target, key: undefined, why: target.hash === '' ? 'no key of this address' : 'no such key' }
  })
}

const REPLACED = 'its key was replaced by a newer one, which has a row of its own'

/** A row whose hash and MQ ID are of two students: columns that were sorted apart would change somebody else's key. */
function belongsElsewhere(target: Target, key: Key): FoundTarget | undefined {
  const mqId = mqIdOfKeyName(key.name)
  if (target.mqId === '' || mqId === undefined || mqIdKey(mqId) === mqIdKey(target.mqId)) return undefined
  const why = `its mq_id is ${target.mqId}, and its hash is of a key of ${mqId}; were the columns sorted apart?`
  return { target, key: undefined, why }
}

/** One row of limits.csv to be written. */
export interface LimitsRow {
  email: string
  name: string
  mqId: string
  targetLimit: string
  targetDisabled: string
  targetLimitReset: string
  keyName: string
  hash: string
  /** Undefined where OpenRouter has no such key any more: the row is kept for its target. */
  actual: { limit: Limit; disabled: boolean; limitReset: LimitReset } | undefined
  extra: ReadonlyMap<string, string>
}

/**
 * The rows of the next limits.csv: one for each key of the class, and whatever else the instructor has asked
 * for. A row about a key that is neither of the class nor asked for anything is dropped.
 * @param keys the keys of the class with their students
 * @param present the targets of the present file
 * @param reached the relative targets that are reached, by hash: the amount stands in the cell from then on, so that
 * it asks for nothing more
 * @param answered hashes of the keys that a newer instruction was about: their targets are taken out
 */
export function nextLimits(
  keys: readonly { student: { email: string; name: string; mqId: string }; key: Key }[],
  present: readonly FoundTarget[],
  {
    reached = new Map(),
    answered = new Set(),
  }: { reached?: ReadonlyMap<string, Usd>; answered?: ReadonlySet<string> } = {},
): LimitsRow[] {
  const found = present.map((f) => (answered.has(f.key?.hash ?? f.target.hash) ? withoutTargets(f) : f))
  const targetOf = new Map(found.flatMap((f) => (f.key ? [[f.key.hash, f.target] as const] : [])))
  const ofClass = keys.map(({ student, key }) => limitsRow(student, key, targetOf.get(key.hash), reached))
  const written = new Set(keys.map(({ key }) => key.hash))
  const others = found.filter((f) => !(f.key && written.has(f.key.hash)) && asksForSomething(f.target))
  return [...ofClass, ...others.map((f) => limitsRow(f.target, f.key, f.target, reached))].sort(byEmail)
}

/** A row that asks for nothing more: `update` would undo what was done since it was written. */
function withoutTargets(found: FoundTarget): FoundTarget {
  const written = { limit: '', disabled: '', limitReset: '' }
  const nothing = { limit: undefined, disabled: undefined, limitReset: undefined, written }
  return { ...found, target: { ...found.target, ...nothing } }
}

function asksForSomething(target: Target): boolean {
  const { limit, disabled, limitReset, extra } = target
  const asked = [limit, disabled, limitReset].some((value) => value !== undefined)
  return asked || [...extra.values()].some(Boolean)
}

function limitsRow(
  person: { email: string; name: string; mqId: string },
  key: Key | undefined,
  target: Target | undefined,
  reached: ReadonlyMap<string, Usd>,
): LimitsRow {
  const amount = key && reached.get(key.hash)
  return {
    email: person.email,
    name: person.name,
    mqId: person.mqId,
    targetLimit: amount === undefined ? (target?.written.limit ?? '') : usdText(amount),
    targetDisabled: target?.written.disabled ?? '',
    targetLimitReset: target?.written.limitReset ?? '',
    keyName: key?.name ?? target?.keyName ?? '',
    hash: key?.hash ?? target?.hash ?? '',
    actual: key && { limit: key.limit, disabled: key.disabled, limitReset: key.limitReset },
    extra: target?.extra ?? new Map(),
  }
}
