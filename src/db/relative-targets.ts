import { eq, sql } from 'drizzle-orm'
import type { RelativeTarget } from '../lib/core/relative-targets.js'
import type { Db } from './connection.js'
import { relativeTarget } from './tables.js'

/** What relative targets came to that are not known to be reached. */
export function readRelativeTargets(db: Db): RelativeTarget[] {
  const { keyHash: hash, written, target } = relativeTarget
  return db.select({ hash, written, target }).from(relativeTarget).orderBy(hash).all()
}

/** Writes down what relative targets come to, in place of what was there about their keys. */
export function addRelativeTargets(db: Db, targets: readonly RelativeTarget[], at: Date): void {
  for (const { hash: keyHash, ...rest } of targets) {
    const values = { ...rest, intendedAt: at }
    db.insert(relativeTarget)
      .values({ keyHash, ...values })
      .onConflictDoUpdate({ target: relativeTarget.keyHash, set: values })
      .run()
  }
}

/** Forgets what relative targets of keys came to: they are reached, or no longer asked for. */
export function dropRelativeTargets(db: Db, hashes: readonly string[]): void {
  const drop = db
    .delete(relativeTarget)
    .where(eq(relativeTarget.keyHash, sql.placeholder('hash')))
    .prepare()
  for (const hash of hashes) drop.run({ hash })
}
