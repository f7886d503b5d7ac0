import type { LimitReset } from './money.js'

/**
 * When a limit refills next: at midnight UTC, weeks starting on Monday. A fact of OpenRouter's.
 * @returns null where it never does
 */
export function nextRefill(reset: LimitReset, now: Date): Date | null {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  switch (reset) {
    case 'daily':
      return new Date(Date.UTC(year, month, day + 1))
    case 'weekly': {
      const sinceMonday = (now.getUTCDay() + 6) % 7
      return new Date(Date.UTC(year, month, day + 7 - sinceMonday))
    }
    case 'monthly':
      return new Date(Date.UTC(year, month + 1, 1))
    case null:
      return null
  }
}
