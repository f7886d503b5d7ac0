import type { PlannedChange } from './changes.js'
import { ClassKeysError } from './errors.js'
import type { Key } from './key.js'
import { count } from './words.js'

/** Percent of the class's keys that a plan may disable, delete or lower, unless `--max-change` says otherwise. */
export const MAX_CHANGE = 30
/** In a class of fewer keys, no share is massive: one student in three is one student. */
const FEWEST_KEYS = 10

/** How much harm a plan could do, from the plan alone. */
export interface Safety {
  /**
   * `routine`: creations, a limit raised or lowered, a reset. `grave`: something that costs money or cannot be
   * taken back. `massive`: something that may lock out a large part of the class.
   */
  grade: 'routine' | 'grave' | 'massive'
  /** Keys whose limit is lifted. */
  unlimited: number
  /** Keys that are enabled. */
  enabled: number
  /** Keys that are deleted; without lost ones, which nobody ever had. */
  deleted: number
  /** Keys that are made for students who seem to have one under another MQ ID. */
  secondKeys: number
  /** Keys that are disabled, deleted or lowered. */
  hit: number
  /** The class's keys of which those are so many: the ones that are enabled, and whatever else is hit. */
  total: number
  /** Percent of them that may be hit. */
  maxChange: number
}

/**
 * Grades a plan.
 * @param classKeys the keys of the class that are in OpenRouter, disabled ones included
 * @param options percent of them that may be disabled, deleted or lowered, and how many of the keys that are made are
 * likely to be somebody's second one
 */
export function assess(
  changes: readonly PlannedChange[],
  classKeys: readonly Pick<Key, 'hash' | 'disabled'>[],
  { maxChange = MAX_CHANGE, secondKeys = 0 }: { maxChange?: number | undefined; secondKeys?: number } = {},
): Safety {
  const hits = new Set(changes.flatMap((change) => (isHit(change) ? [change.hash] : [])))
  const inPlay = classKeys.filter((key) => !key.disabled || hits.has(key.hash))
  const total = inPlay.length
  const massive = classKeys.length >= FEWEST_KEYS && hits.size * 100 > maxChange * total
  const unlimited = changes.filter((change) => change.kind === 'update' && change.limit?.to === null).length
  const enabled = changes.filter(isEnabling).length
  const deleted = changes.filter((change) => change.kind === 'delete').length
  const grade = massive ? 'massive' : unlimited + enabled + deleted + secondKeys > 0 ? 'grave' : 'routine'
  return { grade, unlimited, enabled, deleted, secondKeys, hit: hits.size, total, maxChange }
}

function isEnabling(change: PlannedChange): boolean {
  return change.kind === 'enable' || (change.kind === 'update' && change.disabled?.to === false)
}

/** Whether a change disables, deletes or lowers a key that somebody has. */
function isHit(change: PlannedChange): change is Extract<PlannedChange, { hash: string }> {
  if (change.kind === 'disable' || change.kind === 'delete') return true
  if (change.kind !== 'update') return false
  const { limit, disabled } = change
  const lowered = limit !== undefined && limit.to !== null && (limit.from === null || limit.to < limit.from)
  return lowered || disabled?.to === true
}

/** What makes a plan grave, in words: `lifts the limit of 2 keys and deletes 1 key`; empty where nothing does. */
export function graveWords({ unlimited, enabled, deleted, secondKeys }: Safety): string {
  const parts = [
    secondKeys > 0 &&
      `makes ${secondKeys === 1 ? 'a second key for a student' : `second keys for ${secondKeys} students`} whose MQ ID has changed`,
    unlimited > 0 && `lifts the limit of ${count(unlimited, 'key')}`,
    enabled > 0 && `enables ${count(enabled, 'key')}`,
    deleted > 0 && `deletes ${count(deleted, 'key')} for good`,
  ].filter((part) => part !== false)
  const last = parts.pop()
  if (last === undefined) return ''
  return parts.length === 0 ? last : `${parts.join(', ')} and ${last}`
}

/** What makes a plan massive, in words: `disables, deletes or lowers 12 of 20 keys (60%)`. */
export function massiveWords({ hit, total, maxChange }: Safety): string {
  const rounded = Math.round((hit / total) * 100)
  // 31 of 102 are more than 30%, and must not be said to be just that.
  const share = rounded > maxChange ? rounded : Math.ceil((hit * 1000) / total) / 10
  return `disables, deletes or lowers ${hit} of ${count(total, 'key')} (${share}%)`
}

/** What a person has agreed to beforehand. */
export interface Agreed {
  yes: boolean
  force: boolean
}

/**
 * Whether a plan has to be asked about before it is applied.
 * @param always whether the command asks even about a routine plan
 */
export function needsYes(safety: Safety, { yes }: Agreed, always: boolean): boolean {
  return !yes && (always || graveWords(safety) !== '')
}

/**
 * Refuses a massive plan that nobody has forced.
 * @throws ClassKeysError `too_many_changes`, exit code 4
 */
export function refuseMassive(safety: Safety, { force }: Agreed): void {
  if (safety.grade !== 'massive' || force) return
  throw new ClassKeysError(
    'too_many_changes',
    `This plan ${massiveWords(safety)}, and more than ${safety.maxChange}% is refused. Nothing was changed. Look at the plan; if it is what you want, run the same command with --force, or with a higher --max-change.`,
    4,
  )
}
