import { and, asc, eq, gt, like, lt, max } from 'drizzle-orm'
import type { Drift } from '../lib/core/results.js'
import type { Db } from './connection.js'
import { changelog, key, toldChange } from './tables.js'

/** The last row of the changelog; 0 where there is none. */
export function lastChange(db: Db): number {
  return (
    db
      .select({ id: max(changelog.id) })
      .from(changelog)
      .get()?.id ?? 0
  )
}

/** What changed without this tool and was written down after a row of the changelog, oldest first. */
export function driftAfter(db: Db, row: number): Drift[] {
  return db
    .select({
      action: changelog.action,
      oldValue: changelog.oldValue,
      newValue: changelog.newValue,
      hash: key.keyHash,
      keyName: key.keyName,
    })
    .from(changelog)
    .innerJoin(key, eq(key.keyHash, changelog.keyHash))
    .where(and(gt(changelog.id, row), like(changelog.action, 'observed%')))
    .orderBy(asc(changelog.id))
    .all()
}

/** What changed without this tool and no check has told of yet, and the last row of the changelog. */
export function untoldDrift(db: Db): { drift: Drift[]; upTo: number } {
  const told = db.select().from(toldChange).get()?.changelogId ?? 0
  return { drift: driftAfter(db, told), upTo: lastChange(db) }
}

/** Writes down how far in the changelog a check has told; another one beside it may have got further. */
export function markTold(db: Db, upTo: number): void {
  db.delete(toldChange).where(lt(toldChange.changelogId, upTo)).run()
  if (db.select().from(toldChange).get()) return
  db.insert(toldChange).values({ changelogId: upTo }).run()
}
