import type { Limit, LimitReset, Usd } from './money.js'
import type { Person } from './student.js'

/** One OpenRouter key as OpenRouter describes it; its hash is its identity, its name is neither unique nor fixed. */
export interface Key {
  hash: string
  name: string
  /** The masked form that OpenRouter shows, `sk-or-v1-0e6…1c96`. Not a secret, and of no use as a key. */
  label: string
  disabled: boolean
  limit: Limit
  /** US dollars left in this period, or for the key's lifetime where the limit never refills; null is unlimited. */
  limitRemaining: Usd | null
  limitReset: LimitReset
  /** US dollars since the key was made, whatever the reset period. */
  usage: Usd
  /** US dollars spent through the account owner's own provider keys since the key was made. */
  byokUsage: Usd
  /** ISO 8601, as OpenRouter writes it. */
  createdAt: string
  /** ISO 8601 in UTC, or null where the key does not expire. */
  expiresAt: string | null
}

/** A key that is not in OpenRouter any more, with the last that is known of it. */
export interface GoneKey extends Person {
  keyHash: string
  keyName: string
  /** US dollars when it was looked at for the last time; undefined where it never was. */
  usage: Usd | undefined
  limit: Limit
  createdAt: string
  goneAt: string
}

/** Whether a key has come to its end; it is of no use any more, and cannot be prolonged. */
export function isExpired(key: Key, now: Date): boolean {
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= now.getTime()
}

/** How much of its limit a key has spent in this period, in percent; undefined for one without a limit. */
export function percentSpent(key: Key): number | undefined {
  if (key.limit === null || key.limitRemaining === null) return undefined
  if (key.limit === 0) return 100
  // Two decimals of a percent: 0.66 of a dollar is 66%, and not 65.999…%.
  return Math.round(((key.limit - key.limitRemaining) / key.limit) * 10_000) / 100
}

/** Whether anybody has ever spent money with a key. */
export function isUsed(key: Key): boolean {
  return key.usage > 0 || key.byokUsage > 0
}
