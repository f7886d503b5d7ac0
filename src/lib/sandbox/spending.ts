import type { Periods } from './times.js'

/** The periods after which a limit can refill. */
export type LimitReset = keyof Periods

/** One amount that a key has spent: dollars, and when, in milliseconds since 1970. */
export interface Spent {
  at: number
  amount: number
}

/** What a key has spent in its lifetime and in each current period, in dollars. */
export interface Usage {
  total: number
  daily: number
  weekly: number
  monthly: number
}

/** Adds up what was spent, for the periods that began at the moments given. */
export function usageOf(spent: readonly Spent[], periods: Periods): Usage {
  const since = (start: number) =>
    dollars(spent.reduce((sum, { at, amount }) => sum + (at < start ? 0 : amount), 0))
  return {
    total: since(Number.NEGATIVE_INFINITY),
    daily: since(periods.daily),
    weekly: since(periods.weekly),
    monthly: since(periods.monthly),
  }
}

/**
 * Gives what a key may still spend: `null` for no limit, otherwise never below zero. A limit that refills
 * counts the current period alone; one that does not counts the whole life of the key.
 */
export function remaining(limit: number | null, reset: LimitReset | null, usage: Usage): number | null {
  if (limit === null) return null
  return Math.max(0, dollars(limit - usage[reset ?? 'total']))
}

/** Rounds the noise of binary fractions away, far below what anything costs. */
export function dollars(amount: number): number {
  return Math.round(amount * 1e9) / 1e9
}
