import { and, asc, eq, inArray, isNull } from 'drizzle-orm'
import { mqIdOfKeyName } from '../lib/core/key-name.js'
import type { Limit, LimitReset } from '../lib/core/money.js'
import type { Person } from '../lib/core/student.js'
import type { Db } from './connection.js'
import { isThere, type KeptLimit, keptLimit } from './keys.js'
import { creation, key, keyState, secret, student } from './tables.js'

/** A key whose secret no file has ever held. */
export interface WaitingKey extends Person {
  keyHash: string
  secret: string
  keyName: string
  budget: Limit
  limitReset: LimitReset
}

/** A key of the ledger with its secret, if the ledger has it. */
export interface LedgerKey extends Person {
  keyHash: string
  secret: string | undefined
  keyName: string
  limit: KeptLimit
  disabled: boolean
}

/** The hashes of the keys whose secret is here. */
export function secretHashes(db: Db): Set<string> {
  return new Set(
    db
      .select({ keyHash: secret.keyHash })
      .from(secret)
      .all()
      .map((row) => row.keyHash),
  )
}

/** The keys whose secret no file has ever held, in the order they were made. */
export function waitingKeys(db: Db): WaitingKey[] {
  const rows = db
    .select({
      keyHash: secret.keyHash,
      secret: secret.secret,
      keyName: key.keyName,
      budget: creation.creditLimit,
      limitReset: creation.limitReset,
      email: student.email,
      firstName: student.firstName,
      lastName: student.lastName,
      mqId: student.mqId,
    })
    .from(secret)
    .innerJoin(key, eq(key.keyHash, secret.keyHash))
    .innerJoin(student, eq(student.email, key.email))
    .innerJoin(creation, and(eq(creation.keyHash, secret.keyHash), eq(creation.state, 'done')))
    .leftJoin(keyState, eq(keyState.keyHash, secret.keyHash))
    .where(and(isNull(secret.handedOutIn), isThere))
    .orderBy(asc(creation.id))
    .all()
  return rows.map((row) => ({ ...row, mqId: row.mqId ?? '' }))
}

/** Writes down which file holds the secrets of keys. */
export function markHandedOut(db: Db, hashes: readonly string[], file: string): void {
  for (let i = 0; i < hashes.length; i += 500) {
    db.update(secret)
      .set({ handedOutIn: file })
      .where(and(inArray(secret.keyHash, hashes.slice(i, i + 500)), isNull(secret.handedOutIn)))
      .run()
  }
}

/** Every key that is still in OpenRouter as far as the ledger knows, sorted by address. */
export function readLedgerKeys(db: Db): LedgerKey[] {
  const rows = db
    .select({
      keyHash: key.keyHash,
      secret: secret.secret,
      keyName: key.keyName,
      limit: key.creditLimit,
      disabled: key.disabled,
      email: key.email,
      firstName: student.firstName,
      lastName: student.lastName,
      mqId: student.mqId,
    })
    .from(key)
    .leftJoin(student, eq(student.email, key.email))
    .leftJoin(secret, eq(secret.keyHash, key.keyHash))
    .leftJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .where(isThere)
    .orderBy(asc(key.email), asc(key.createdAt))
    .all()
  // The Python tool's files may hold keys of people whom they do not hold.
  return rows.map((row) => ({
    ...row,
    limit: keptLimit(row.limit),
    firstName: row.firstName ?? '',
    lastName: row.lastName ?? '',
    mqId: row.mqId ?? mqIdOfKeyName(row.keyName) ?? '',
    secret: row.secret ?? undefined,
  }))
}
