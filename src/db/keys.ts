import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import type { Key } from '../lib/core/key.js'
import { type Limit, type LimitReset, parseLimit } from '../lib/core/money.js'
import { ledgerTime } from '../lib/core/times.js'
import type { Db } from './connection.js'
import { changelog, key, keyState, student } from './tables.js'

/** What is written down about a change to a key. Actions that start with `observed_` were not made by this tool. */
export interface Change {
  keyHash: string
  action: string
  /** Amounts of US dollars as text, `unlimited`, `true`, `false`; null where there was nothing. */
  oldValue: string | null
  newValue: string | null
}

/** A limit as the ledger has it: text where another tool has put some there that is no amount. */
export type KeptLimit = Limit | string

/** Reads a limit, whatever has been put into its column. */
export function keptLimit(value: unknown): KeptLimit {
  if (value === null || typeof value === 'number') return value
  const text = String(value)
  const limit = parseLimit(text)
  return limit === undefined ? text : limit
}

/** A key as the ledger has it, with what it knows beyond schema v2. */
export interface KeptKey {
  keyHash: string
  keyName: string
  email: string
  creditLimit: KeptLimit
  disabled: boolean
  /** Null for a key of the Python tool that no listing has shown since. */
  knownAt: Date | null
  limitReset: LimitReset
  goneAt: string | null
}

/** Every key of the ledger by hash, those that are gone included. */
export function readKeys(db: Db): Map<string, KeptKey> {
  const rows = db
    .select({
      keyHash: key.keyHash,
      keyName: key.keyName,
      email: key.email,
      creditLimit: key.creditLimit,
      disabled: key.disabled,
      knownAt: keyState.knownAt,
      limitReset: keyState.limitReset,
      goneAt: keyState.goneAt,
    })
    .from(key)
    .leftJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .all()
  return new Map(rows.map((row) => [row.keyHash, { ...row, creditLimit: keptLimit(row.creditLimit) }]))
}

/** Whose the keys are that the ledger knows: MQ IDs by hash. */
export function readHolders(db: Db): Map<string, string> {
  const rows = db
    .select({ keyHash: key.keyHash, mqId: student.mqId })
    .from(key)
    .innerJoin(student, eq(student.email, key.email))
    .all()
  return new Map(rows.flatMap(({ keyHash, mqId }) => (mqId === null ? [] : [[keyHash, mqId] as const])))
}

/** Gives a function that writes a key as OpenRouter describes it, for many keys in one transaction. */
export function keyWriter(db: Db, knownAt: Date): (theirs: Key, email: string) => void {
  const writeKey = db
    .insert(key)
    .values({
      keyHash: sql.placeholder('hash'),
      keyLabel: sql.placeholder('label'),
      email: sql.placeholder('email'),
      keyName: sql.placeholder('name'),
      createdAt: sql.placeholder('createdAt'),
      creditLimit: sql.placeholder('limit'),
      disabled: sql.placeholder('disabled'),
    })
    .onConflictDoUpdate({
      target: key.keyHash,
      set: {
        keyLabel: sql`excluded.key_label`,
        email: sql`excluded.email`,
        keyName: sql`excluded.key_name`,
        creditLimit: sql`excluded.credit_limit`,
        disabled: sql`excluded.disabled`,
      },
    })
    .prepare()
  const writeState = db
    .insert(keyState)
    .values({
      keyHash: sql.placeholder('hash'),
      limitReset: sql.placeholder('limitReset'),
      expiresAt: sql.placeholder('expiresAt'),
      knownAt,
      goneAt: null,
    })
    .onConflictDoUpdate({
      target: keyState.keyHash,
      set: {
        limitReset: sql`excluded.limit_reset`,
        expiresAt: sql`excluded.expires_at`,
        knownAt: sql`excluded.known_at`,
        goneAt: null,
      },
    })
    .prepare()
  return (theirs, email) => {
    writeKey.run({ ...theirs, email })
    writeState.run({ ...theirs })
  }
}

/** Writes down that a key is no longer in OpenRouter; its row and its history stay. */
export function markGone(db: Db, hash: string, at: Date): void {
  db.insert(keyState)
    .values({ keyHash: hash, knownAt: at, goneAt: ledgerTime(at) })
    .onConflictDoUpdate({ target: keyState.keyHash, set: { knownAt: at, goneAt: ledgerTime(at) } })
    .run()
}

/** Writes down that `offboard` is about to disable a key, or, with null, that it is disabled for another reason. */
export function markOffboarded(db: Db, hash: string, at: Date | null): void {
  db.update(keyState).set({ offboardedAt: at }).where(eq(keyState.keyHash, hash)).run()
}

/** The hashes of the keys that `offboard` has disabled. */
export function offboardedHashes(db: Db): Set<string> {
  const rows = db
    .select({ hash: keyState.keyHash })
    .from(keyState)
    .where(and(isNotNull(keyState.offboardedAt), isThere))
    .all()
  return new Set(rows.map((row) => row.hash))
}

/** The hashes of the keys that are still in OpenRouter as far as the ledger knows. */
export function hashesThere(db: Db): string[] {
  const rows = db
    .select({ hash: key.keyHash })
    .from(key)
    .leftJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .where(isThere)
    .all()
  return rows.map((row) => row.hash)
}

/** Whether a key of the ledger is still in OpenRouter, as far as the ledger knows: a condition for a query that joins key_state. */
export const isThere = isNull(keyState.goneAt)

/** Writes changes into the changelog, with the change itself and never later. */
export function logChanges(db: Db, changes: readonly Change[], at: Date): void {
  for (const change of changes) {
    db.insert(changelog)
      .values({ ...change, changedAt: ledgerTime(at) })
      .run()
  }
}
