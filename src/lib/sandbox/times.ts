/** A moment in whole microseconds since 1970 in UTC: the resolution of the times that the API shows. */
export type Micros = number

/** The moments, in milliseconds, at which the current day, week and month began: all in UTC, weeks on Monday. */
export interface Periods {
  daily: number
  weekly: number
  monthly: number
}

const DAY = 24 * 60 * 60 * 1000

/** Writes a moment as the API does: `2026-02-19T20:52:27.363244+00:00`. */
export function formatMicros(micros: Micros): string {
  const date = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)
  return `${date}${String(micros % 1000).padStart(3, '0')}+00:00`
}

/** Writes a `Date` in the same form, with zeros for what it does not know. */
export function formatDate(date: Date): string {
  return formatMicros(date.getTime() * 1000)
}

/** Gives the beginnings of the periods in which `now` lies. */
export function periodsAt(now: Date): Periods {
  const daily = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())
  const daysSinceMonday = (now.getUTCDay() + 6) % 7
  return {
    daily,
    weekly: daily - daysSinceMonday * DAY,
    monthly: Date.UTC(now.getUTCFullYear(), now.getUTCMonth()),
  }
}
