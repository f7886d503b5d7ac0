import { eq, sql } from 'drizzle-orm'
import type { Key } from '../lib/core/key.js'
import type { Matching } from '../lib/core/matching.js'
import { limitText, sameLimit } from '../lib/core/money.js'
import type { Drift } from '../lib/core/results.js'
import type { Person } from '../lib/core/student.js'
import { ledgerTime } from '../lib/core/times.js'
import type { Db } from './connection.js'
import { hashesBeingUndone } from './creations.js'
import { driftAfter, lastChange } from './drift.js'
import {
  type Change,
  type KeptKey,
  keyWriter,
  logChanges,
  markGone,
  markOffboarded,
  readKeys,
} from './keys.js'
import { upsertStudents } from './students.js'
import { pendingChange, usage } from './tables.js'

/** The action of a deletion that was asked for. */
export const DELETED = 'deleted'

/** What OpenRouter said, and what it means for the class. */
export interface Listing {
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Whose they are. */
  matching: Matching
  /** Everybody of the class, also those without a key. */
  people: readonly Person[]
  /** When the listing was begun: what the ledger has learnt since is newer. */
  listedAt: Date
  /** Whether to write down what each matched key has spent. */
  withUsage: boolean
  /** Whether changes whose answer was lost are to be settled: only by the run that holds the lock. */
  settlePending: boolean
}

/**
 * Brings the ledger to what OpenRouter says, and writes down as `observed_…` what changed without this tool.
 * Must run inside a transaction.
 * @returns what changed without this tool
 */
export function recordListing(db: Db, listing: Listing, now: Date): Drift[] {
  const { matching, keys, listedAt } = listing
  const before = lastChange(db)
  upsertStudents(db, listing.people, now)
  const known = readKeys(db)
  const pending = readPending(db)
  const emailOf = new Map(matching.matched.map(({ student, key }) => [key.hash, student.email]))
  const write = keyWriter(db, listedAt)
  const changes: Change[] = []
  const undoing = hashesBeingUndone(db)
  for (const theirs of keys) {
    const ours = known.get(theirs.hash)
    const email = emailOf.get(theirs.hash) ?? ours?.email
    if (email === undefined || (ours && knowsMore(ours, listedAt, now))) continue
    const awaited = pending.get(theirs.hash) ?? []
    const seen = ours && !listing.settlePending ? withhold(theirs, ours, awaited) : theirs
    if (ours) changes.push(...differences(ours, seen, awaited))
    write(seen, email)
    // Whoever has enabled or disabled it since, it is not `offboard` that keeps it as it is.
    if (ours && ours.disabled !== seen.disabled && !(seen.disabled && isAwaitedDisabling(awaited)))
      markOffboarded(db, ours.keyHash, null)
  }
  const listed = new Set(keys.map((theirs) => theirs.hash))
  for (const ours of known.values()) {
    // A lost key that this tool was deleting is not somebody else's doing: finishUndoing writes it down.
    if (undoing.has(ours.keyHash)) continue
    if (listed.has(ours.keyHash) || ours.goneAt !== null || knowsMore(ours, listedAt, now)) continue
    const awaited = pending.get(ours.keyHash) ?? []
    const asked = awaited.some((change) => change.action === DELETED)
    // A run at work that has just deleted it will write that down.
    if (asked && !listing.settlePending) continue
    const action = asked ? DELETED : 'observed_gone'
    changes.push({ keyHash: ours.keyHash, action, oldValue: ours.keyName, newValue: null })
    markGone(db, ours.keyHash, listedAt)
  }
  logChanges(db, changes, now)
  if (listing.settlePending && pending.size > 0) db.delete(pendingChange).run()
  if (listing.withUsage)
    recordUsage(
      db,
      matching.matched.map((match) => match.key),
      now,
    )
  return driftAfter(db, before)
}

function isAwaitedDisabling(awaited: readonly Pending[]): boolean {
  return awaited.some((change) => change.action === 'update_disabled' && change.newValue === 'true')
}

/** Whether the ledger has learnt of a key since a listing was begun; a time that is yet to come is a clock that was wrong. */
function knowsMore({ knownAt }: KeptKey, listedAt: Date, now: Date): boolean {
  return knownAt !== null && knownAt > listedAt && knownAt <= now
}

/**
 * A key without what a run at work has just changed and not yet written down: that run will do it, and it is not
 * somebody else's doing. Whatever else has changed is to be seen.
 */
function withhold(theirs: Key, ours: KeptKey, awaited: readonly Pending[]): Key {
  const isAwaited = (action: string, value: string | null) =>
    awaited.some((change) => change.action === action && change.newValue === value)
  const limitIsAwaited = isAwaited('update_limit', limitText(theirs.limit))
  return {
    ...theirs,
    limit: limitIsAwaited && typeof ours.creditLimit !== 'string' ? ours.creditLimit : theirs.limit,
    disabled: isAwaited('update_disabled', String(theirs.disabled)) ? ours.disabled : theirs.disabled,
    limitReset: isAwaited('update_limit_reset', theirs.limitReset) ? ours.limitReset : theirs.limitReset,
  }
}

type Pending = typeof pendingChange.$inferSelect

function readPending(db: Db): Map<string, Pending[]> {
  const byHash = new Map<string, Pending[]>()
  for (const row of db.select().from(pendingChange).all()) {
    byHash.set(row.keyHash, [...(byHash.get(row.keyHash) ?? []), row])
  }
  return byHash
}

/** What is different at OpenRouter; a change that we sent and got no answer to is ours, if it came true. */
function differences(ours: KeptKey, theirs: Key, awaited: readonly Pending[]): Change[] {
  const limit = ours.creditLimit
  const all: [field: string, oldValue: string | null, newValue: string | null, differs: boolean][] = [
    [
      'limit',
      typeof limit === 'string' ? limit : limitText(limit),
      limitText(theirs.limit),
      typeof limit === 'string' || !sameLimit(limit, theirs.limit),
    ],
    ['disabled', String(ours.disabled), String(theirs.disabled), ours.disabled !== theirs.disabled],
    ['name', ours.keyName, theirs.name, ours.keyName !== theirs.name],
    // The Python tool kept no reset period: what the ledger has never known has not changed.
    [
      'limit_reset',
      ours.limitReset,
      theirs.limitReset,
      ours.knownAt !== null && ours.limitReset !== theirs.limitReset,
    ],
  ]
  return all
    .filter(([, , , differs]) => differs)
    .map(([field, oldValue, newValue]) => {
      const sent = awaited.some(
        (change) => change.action === `update_${field}` && change.newValue === newValue,
      )
      return {
        keyHash: ours.keyHash,
        action: sent ? `update_${field}` : `observed_${field}`,
        oldValue,
        newValue,
      }
    })
}

/** Writes down what keys have spent, of those that the ledger knows. */
export function recordUsage(db: Db, keys: readonly Pick<Key, 'hash' | 'usage'>[], now: Date): void {
  const insert = db
    .insert(usage)
    .values({ keyHash: sql.placeholder('hash'), usage: sql.placeholder('usage'), checkedAt: ledgerTime(now) })
    .prepare()
  for (const { hash, usage: spent } of keys) insert.run({ hash, usage: spent })
}

/** Writes down changes that are about to be sent. */
export function addPending(db: Db, changes: readonly Change[], at: Date): void {
  for (const change of changes) {
    db.insert(pendingChange)
      .values({ ...change, intendedAt: at })
      .run()
  }
}

/** Forgets the changes to keys that were about to be sent: they have been answered. */
export function dropPending(db: Db, hashes: readonly string[]): void {
  const drop = db
    .delete(pendingChange)
    .where(eq(pendingChange.keyHash, sql.placeholder('hash')))
    .prepare()
  for (const hash of hashes) drop.run({ hash })
}
