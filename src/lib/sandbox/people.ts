import { createHash } from 'node:crypto'
import type { Account } from './account.js'
import type { LimitReset } from './spending.js'
import { formatMicros } from './times.js'
import { DEFAULT_WORKSPACE_ID } from './workspace-store.js'

const FIRST_NAMES = (
  'Ada Bilal Chiara Dov Eleni Farid Greta Hana Ivo Jun Kofi Lucía Malik Noor Orla Priya Quentin Rosa Søren Tala ' +
  'Ugo Vera Wen Xanthe Yusuf Zoë Anna-Lena Mei'
).split(' ')

const LAST_NAMES = (
  "Quill Marsh Okafor Lindqvist Tanaka O'Dell Varga Ibarra Novak Petrou Ashdown Rahimi Castellano Dufour Egede " +
  'Fenwick Gallo Holm Iyer Jansen Kaya Lovell Mbeki Nguyen Osei'
).split(' ')

const FOREIGN_NAMES = [
  'research-bot',
  'thesis pipeline',
  'staging',
  'Marking assistant',
  'ci_nightly',
  'demo',
]
const LIMITS = [3, 5, 10, 2.5, null, 25, 0.75, 5, 0, 10]
const RESETS: (LimitReset | null)[] = [null, null, 'monthly', null, 'weekly', null, 'daily']

const FIRST_MQ_ID = 48200001
const FIRST_CREATION = Date.UTC(2026, 1, 19, 1)
const BETWEEN_CREATIONS = 20_363
const HOUR = 60 * 60 * 1000

/**
 * Fills an account with keys that are already there: those of made-up students, with names as
 * `20260219_Ada Quill_48200001`, and now and then a foreign one. The same number gives the same keys.
 */
export function populate(account: Account, count: number): void {
  const now = account.now().getTime()
  const start = Math.min(FIRST_CREATION, now - (count + 1) * BETWEEN_CREATIONS - HOUR)
  let students = 0
  for (let index = 0; index < count; index += 1) {
    // The odd microseconds are there because real times have them, and what reads them must cope.
    const createdAt = (start + index * BETWEEN_CREATIONS) * 1000 + ((index * 617) % 1000)
    const foreign = index % 12 === 7
    const name = foreign ? foreignName(index) : studentName(students, createdAt)
    if (!foreign) students += 1
    const key = account.keys.insert(
      {
        secret: `sk-or-v1-${createHash('sha256').update(`class-keys sandbox ${index}`).digest('hex')}`,
        name,
        disabled: index % 10 === 4,
        limit: LIMITS[index % LIMITS.length] ?? null,
        limitReset: RESETS[index % RESETS.length] ?? null,
        includeByokInLimit: false,
        workspaceId: DEFAULT_WORKSPACE_ID,
        creatorUserId: null,
        expiresAt: null,
      },
      createdAt,
    )
    const budget = key.limit ?? 8
    const before = share(index) * budget
    if (before > 0) account.spend(key, before, new Date(start + index * BETWEEN_CREATIONS))
    if (index % 4 === 1 && budget > 0) account.spend(key, 0.05, new Date(now))
  }
  account.credits.purchased = 1000 + Math.ceil(account.credits.spent / 100) * 100
}

function studentName(number: number, createdAt: number): string {
  const day = formatMicros(createdAt).slice(0, 10).replaceAll('-', '')
  // 28 first names and 25 last names have no common divisor: 700 people before one comes again.
  const first = FIRST_NAMES[number % FIRST_NAMES.length]
  const last = LAST_NAMES[number % LAST_NAMES.length]
  return `${day}_${first} ${last}_${FIRST_MQ_ID + number}`
}

function foreignName(index: number): string {
  const turn = Math.floor(index / 12)
  const name = FOREIGN_NAMES[turn % FOREIGN_NAMES.length]
  const round = Math.floor(turn / FOREIGN_NAMES.length)
  return round === 0 ? `${name}` : `${name} ${round + 1}`
}

/** How much of its limit a key has used: nothing, some, all of it, or a little more. */
function share(index: number): number {
  return [0, 0.25, 0.6, 0, 0.1, 1, 0.85, 0, 1.02][index % 9] ?? 0
}
