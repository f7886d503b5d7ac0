import { and, asc, eq, gt, inArray, isNotNull, isNull, or, sql } from 'drizzle-orm'
import { mqIdKey } from '../lib/core/key-name.js'
import type { NewRotation, Rotation } from '../lib/core/rotation.js'
import type { Db } from './connection.js'
import { keyGuardrail, rotation, secret } from './tables.js'

/**
 * Writes down all that a run sets out to rotate. An old key that is still to be retired has one entry: a newer run takes
 * it over.
 */
export function addRotations(db: Db, rotations: readonly NewRotation[], at: Date): void {
  for (const row of rotations) {
    const entry = { ...row, plannedAt: at, closedAt: null }
    const isSame = and(eq(rotation.oldHash, row.oldHash), isUnfinished)
    const { changes } = db.update(rotation).set(entry).where(isSame).run()
    if (changes === 0) db.insert(rotation).values(entry).run()
  }
}

/** The rotations that something is left to do for, now or on a later day, and those of the same runs that are done. */
export function unfinishedRuns(db: Db): Rotation[] {
  const unfinished = db.select({ plannedAt: rotation.plannedAt }).from(rotation).where(isUnfinished)
  return db
    .select()
    .from(rotation)
    .where(inArray(rotation.plannedAt, unfinished))
    .orderBy(asc(rotation.id))
    .all()
}

const isKept = and(isNotNull(rotation.newHash), isNull(rotation.retiredAt))
const isUnfinished = or(isNull(rotation.closedAt), isKept)

/** Writes down that a student has a new key: it takes the place of all their older ones whose rotation is not over. */
export function setNewKey(db: Db, mqId: string, newHash: string): void {
  db.update(rotation)
    .set({ newHash })
    .where(
      and(
        eq(sql`lower(${rotation.mqId})`, mqIdKey(mqId)),
        or(isNull(rotation.closedAt), isNull(rotation.retiredAt)),
      ),
    )
    .run()
}

/** Writes down that old keys are out of use. */
export function markRetired(db: Db, oldHashes: readonly string[], at: Date): void {
  for (const oldHash of oldHashes) {
    db.update(rotation)
      .set({ retiredAt: at })
      .where(and(eq(rotation.oldHash, oldHash), isNull(rotation.retiredAt)))
      .run()
  }
}

/**
 * Ends the rotations that a run has come to the end with: the new key is made, has its guardrail, and a file
 * holds its secret; the old one is retired, or kept for some days. Also those that are moot, by their numbers.
 */
export function closeRotations(db: Db, moot: readonly number[], at: Date): void {
  const rows = db
    .select({ row: rotation })
    .from(rotation)
    .innerJoin(secret, eq(secret.keyHash, rotation.newHash))
    .leftJoin(keyGuardrail, eq(keyGuardrail.keyHash, rotation.newHash))
    .where(
      and(
        isNull(rotation.closedAt),
        isNotNull(secret.handedOutIn),
        or(isNull(keyGuardrail.keyHash), isNotNull(keyGuardrail.assignedAt)),
        or(isNotNull(rotation.retiredAt), gt(rotation.retireAt, at)),
      ),
    )
    .all()
  for (const { row } of rows) db.update(rotation).set({ closedAt: at }).where(eq(rotation.id, row.id)).run()
  for (const id of moot)
    db.update(rotation).set({ closedAt: at, retiredAt: at }).where(eq(rotation.id, id)).run()
}

/** The keys that have been replaced by newer ones: the new hash by the old one. */
export function replacedKeys(db: Db): Map<string, string> {
  const rows = db
    .select({ oldHash: rotation.oldHash, newHash: rotation.newHash })
    .from(rotation)
    .where(isNotNull(rotation.newHash))
    .all()
  return new Map(
    rows.flatMap(({ oldHash, newHash }) => (newHash === null ? [] : [[oldHash, newHash] as const])),
  )
}
