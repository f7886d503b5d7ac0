import type { Problem } from './errors.js'
import type { FoundTarget } from './find-targets.js'
import type { Key } from './key.js'
import { isRaise, type Target } from './limits.js'
import { formatLimit, parseRaise, sameLimit, sumUsd, type Usd } from './money.js'

/** What a relative target, such as `+5`, came to when a run first set out to reach it. */
export interface RelativeTarget {
  hash: string
  /** The cell as the instructor wrote it. */
  written: string
  /** What the key is to be able to spend in the end. */
  target: Usd
}

/**
 * What each relative target comes to: what an earlier run has written down for it, so that it is added once, else
 * what the key may spend now and the amount. One of a key without a limit comes to nothing.
 * @param intended what earlier runs have written down; what holds still is given back as the same object
 */
export function relativeTargets(
  found: readonly FoundTarget[],
  intended: readonly RelativeTarget[],
): RelativeTarget[] {
  const earlier = byHash(intended)
  return found.flatMap(({ target, key, why }) => {
    if (!key || why !== undefined || key.limit === null || !isRaise(target.limit)) return []
    const entry = earlier.get(key.hash)
    if (entry && means(target, entry)) return [entry]
    const { hash, limit } = key
    return [{ hash, written: target.written.limit, target: sumUsd([limit, target.limit.add]) }]
  })
}

/**
 * A problem of limits.csv for each relative target whose row shows another limit than the key has: the file is behind,
 * perhaps since a spreadsheet has saved an old copy over a newer one, and what it asks to add may have been added.
 */
export function staleRaises(found: readonly FoundTarget[], intended: readonly RelativeTarget[]): Problem[] {
  const entries = byHash(intended)
  return found.flatMap(({ target, key, why }) => {
    const { line, actualLimit, written } = target
    if (!key || why !== undefined || !isRaise(target.limit)) return []
    const entry = entries.get(key.hash)
    if (entry && means(target, entry)) return []
    if (actualLimit === undefined || sameLimit(actualLimit, key.limit)) return []
    const message = `is to be added to ${formatLimit(actualLimit)}, and the limit is ${formatLimit(key.limit)} now. Write the new limit itself, or run class-keys refresh-limits-file and look at the row again`
    return [{ line, column: 'target_limit', value: written.limit, message }]
  })
}

/**
 * The hashes of the keys for which something is written down that their rows no longer ask for. What the file has no
 * row about may be asked for by another one.
 */
export function staleTargets(found: readonly FoundTarget[], intended: readonly RelativeTarget[]): string[] {
  const holding = new Set(relativeTargets(found, intended))
  const rows = new Set(found.map(({ key }) => key?.hash))
  return intended.filter((entry) => rows.has(entry.hash) && !holding.has(entry)).map(({ hash }) => hash)
}

/** The amounts of the relative targets that their keys have reached, by hash: in the file they take the place of `+5`. */
export function reachedTargets(
  found: readonly FoundTarget[],
  intended: readonly RelativeTarget[],
): Map<string, Usd> {
  const entries = byHash(intended)
  return new Map(
    found.flatMap(({ target, key }) => {
      if (!key) return []
      const entry = entries.get(key.hash)
      const done = entry !== undefined && means(target, entry) && isReached(entry, key)
      return done ? [[entry.hash, entry.target] as const] : []
    }),
  )
}

/** Whether a key may spend what a relative target came to. */
export function isReached(entry: RelativeTarget, key: Key): boolean {
  return sameLimit(entry.target, key.limit)
}

/**
 * Whether a row still asks for what is written down. A file that shows the amount was written after it had been
 * reached, when the cell was replaced: whoever has written the same words since asks for the same again.
 */
function means(target: Target, entry: RelativeTarget): boolean {
  const add = parseRaise(entry.written)
  if (!isRaise(target.limit) || add === undefined) return false
  return sameLimit(target.limit.add, add) && !shows(target, entry)
}

function shows({ actualLimit }: Target, entry: RelativeTarget): boolean {
  return actualLimit !== undefined && sameLimit(actualLimit, entry.target)
}

function byHash(entries: readonly RelativeTarget[]): Map<string, RelativeTarget> {
  return new Map(entries.map((entry) => [entry.hash, entry]))
}
