import { and, eq, gt } from 'drizzle-orm'
import type { Db } from './connection.js'
import { isThere } from './keys.js'
import { key, keyState, offboardRun } from './tables.js'

/** The hashes of the keys that `offboard` has disabled since one of its runs has come to its end for the last time. */
export function offboardedUnfinished(db: Db): Set<string> {
  const last = db.select().from(offboardRun).get()?.finishedAt ?? new Date(0)
  const rows = db
    .select({ hash: keyState.keyHash })
    .from(keyState)
    .innerJoin(key, eq(key.keyHash, keyState.keyHash))
    .where(and(gt(keyState.offboardedAt, last), isThere))
    .all()
  return new Set(rows.map((row) => row.hash))
}

/** Writes down that a run of `offboard` has come to its end. */
export function finishOffboarding(db: Db, at: Date): void {
  db.delete(offboardRun).run()
  db.insert(offboardRun).values({ finishedAt: at }).run()
}
