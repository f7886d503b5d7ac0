import { asc, eq } from 'drizzle-orm'
import { parseLedgerTime } from '../lib/core/history.js'
import type { UsagePoint } from '../lib/core/results.js'
import type { Db } from './connection.js'
import { key, keyState, secret, usage } from './tables.js'

/** One key of a student as the ledger has it. */
export interface StudentKey {
  keyHash: string
  keyName: string
  /** When it was found to be gone from OpenRouter; null as long as it is there. */
  goneAt: string | null
  /** Undefined where this ledger has never held it. */
  secret: string | undefined
  /** What it had spent at each check, the oldest first. */
  usage: UsagePoint[]
}

/** The keys of the student with an address, the oldest first. */
export function readStudentKeys(db: Db, email: string): StudentKey[] {
  const rows = db
    .select({ keyHash: key.keyHash, keyName: key.keyName, goneAt: keyState.goneAt, secret: secret.secret })
    .from(key)
    .leftJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .leftJoin(secret, eq(secret.keyHash, key.keyHash))
    .where(eq(key.email, email))
    .orderBy(asc(key.createdAt))
    .all()
  return rows.map((row) => ({ ...row, secret: row.secret ?? undefined, usage: readUsage(db, row.keyHash) }))
}

function readUsage(db: Db, hash: string): UsagePoint[] {
  const rows = db.select().from(usage).where(eq(usage.keyHash, hash)).orderBy(asc(usage.id)).all()
  return rows.flatMap(({ checkedAt, usage: spent }) => {
    // Another tool may have put anything there: what is no point of a chart is left out of it.
    const at = parseLedgerTime(String(checkedAt))?.toISOString()
    return at === undefined || typeof spent !== 'number' ? [] : [{ at, usage: spent }]
  })
}
