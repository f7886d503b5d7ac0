import { UsageError } from './errors.js'

const DAY = /^(\d{4})-(\d\d)-(\d\d)$/
const MOMENT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/

/**
 * Reads when a key is to expire: a day (`2026-11-30`: its last second in the zone of this machine), or a moment
 * (`2026-11-30 17:00`, local time unless it names a zone).
 * @returns UTC with seconds, as OpenRouter wants it: `2026-11-30T12:59:59Z`; undefined for anything else
 */
export function parseExpiry(text: string): string | undefined {
  const words = text.trim()
  const day = DAY.exec(words.slice(0, 10))
  if (!day || !isDay(words.slice(0, 10))) return undefined
  if (words.length > 10) {
    const at = MOMENT.test(words) ? new Date(words.replace(' ', 'T')) : undefined
    return at && !Number.isNaN(at.getTime()) ? utcText(at) : undefined
  }
  return utcText(new Date(Number(day[1]), Number(day[2]) - 1, Number(day[3]), 23, 59, 59))
}

/** A moment as OpenRouter wants it: UTC with seconds, and no parts of them. */
export function utcText(at: Date): string {
  return at.toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/**
 * Refuses `--expires` where that is over already: the key would be of no use, and in the place of one that works.
 * @param expiresAt UTC with seconds; undefined where the flag was not given
 * @throws UsageError `expiry_past`
 */
export function refusePastExpiry(expiresAt: string | undefined, now: Date): void {
  if (expiresAt === undefined || Date.parse(expiresAt) > now.getTime()) return
  throw new UsageError('expiry_past', `--expires is over already (${expiresAt}). Name a day to come.`)
}

/** Whether two expiries are the same moment, however they are written; null is never. */
export function sameExpiry(a: string | null, b: string | null): boolean {
  if (a === null || b === null) return a === b
  return Date.parse(a) === Date.parse(b)
}

/** 31 February would be taken for a day in March. */
function isDay(day: string): boolean {
  const at = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day)
}
