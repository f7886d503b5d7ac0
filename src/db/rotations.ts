import { and, asc, eq, inArray, isNotNull, isNull } from 'drizzle-orm'
import type { NewRotation, Rotation } from '../lib/core/rotation-plan.js'
import type { Db } from './connection.js'
import { rotation, secret } from './tables.js'

/** Writes down all that a run sets out to rotate. */
export function addRotations(db: Db, rotations: readonly NewRotation[], at: Date): void {
  for (const row of rotations)
    db.insert(rotation)
      .values({ ...row, plannedAt: at })
      .run()
}

/** The rotations that something is left to do for, now or on a later day, and those of the same runs that are done. */
export function unfinishedRuns(db: Db): Rotation[] {
  const open = db.select({ plannedAt: rotation.plannedAt }).from(rotation).where(isNull(rotation.closedAt))
  const rows = db
    .select({ row: rotation, handedOutIn: secret.handedOutIn })
    .from(rotation)
    .leftJoin(secret, eq(secret.keyHash, rotation.newHash))
    .where(inArray(rotation.plannedAt, open))
    .orderBy(asc(rotation.id))
    .all()
  return rows.map(({ row, handedOutIn }) => ({ ...row, handedOut: handedOutIn !== null }))
}

/** Writes down that the new key of a rotation is made. */
export function setNewKey(db: Db, oldHash: string, newHash: string): void {
  db.update(rotation)
    .set({ newHash })
    .where(and(eq(rotation.oldHash, oldHash), isNull(rotation.closedAt)))
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

/** Ends rotations that nothing is left to do for, and those whose numbers are given because they are moot. */
export function closeRotations(db: Db, moot: readonly number[], at: Date): void {
  for (const row of unfinishedRuns(db)) {
    if (row.closedAt !== null) continue
    const done = row.newHash !== null && row.retiredAt !== null && row.handedOut
    if (!done && !moot.includes(row.id)) continue
    db.update(rotation).set({ closedAt: at }).where(eq(rotation.id, row.id)).run()
  }
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
