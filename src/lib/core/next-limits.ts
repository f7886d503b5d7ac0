import type { FoundTarget } from './find-targets.js'
import type { Key } from './key.js'
import { hasTargets, type Target } from './limits.js'
import { type Limit, type LimitReset, type Usd, usdText } from './money.js'
import { byEmail } from './student.js'

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
 * @param answered hashes of the keys that a newer instruction was about: their targets are taken out, but for `true`
 */
export function nextLimits(
  keys: readonly { student: { email: string; name: string; mqId: string }; key: Key }[],
  present: readonly FoundTarget[],
  { reached, answered }: { reached: ReadonlyMap<string, Usd>; answered: ReadonlySet<string> },
): LimitsRow[] {
  const found = present.map((f) => (answered.has(f.key?.hash ?? f.target.hash) ? withoutTargets(f) : f))
  const targetOf = new Map(found.flatMap((f) => (f.key ? [[f.key.hash, f.target] as const] : [])))
  const ofClass = keys.map(({ student, key }) => limitsRow(student, key, targetOf.get(key.hash), reached))
  const written = new Set(keys.map(({ key }) => key.hash))
  const others = found.filter((f) => !(f.key && written.has(f.key.hash)) && isWorthKeeping(f.target))
  return [...ofClass, ...others.map((f) => limitsRow(f.target, f.key, f.target, reached))].sort(byEmail)
}

/**
 * A row that asks for nothing more: `update` would undo what was done since it was written. That a key is to be disabled
 * stays, as long as it has not been replaced: it says that whoever is back is not to get it again.
 */
function withoutTargets({ key, target, replaced, ...rest }: FoundTarget): FoundTarget {
  const staysDisabled = key !== undefined && target.disabled === true && !replaced
  const written = { limit: '', disabled: staysDisabled ? target.written.disabled : '', limitReset: '' }
  const asked = { limit: undefined, disabled: staysDisabled || undefined, limitReset: undefined, written }
  return { ...rest, key, target: { ...target, ...asked }, ...(replaced !== undefined && { replaced }) }
}

/** Whether a row has to stay although its key is gone: for its targets, or for what the instructor has written beside them. */
function isWorthKeeping(target: Target): boolean {
  return hasTargets(target) || [...target.extra.values()].some(Boolean)
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
