import { asc, eq, isNotNull, max } from 'drizzle-orm'
import { parseLedgerTime } from '../lib/core/history.js'
import type { GoneKey } from '../lib/core/key.js'
import type { UsagePoint } from '../lib/core/results.js'
import type { Db } from './connection.js'
import { key, keyState, secret, student, usage } from './tables.js'

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

/** The keys that are not in OpenRouter any more, by address, with the last that is known of them. */
export function readGoneKeys(db: Db): GoneKey[] {
  const rows = db
    .select({
      email: student.email,
      firstName: student.firstName,
      lastName: student.lastName,
      mqId: student.mqId,
      keyHash: key.keyHash,
      keyName: key.keyName,
      limit: key.creditLimit,
      createdAt: key.createdAt,
      goneAt: keyState.goneAt,
    })
    .from(key)
    .innerJoin(keyState, eq(keyState.keyHash, key.keyHash))
    .innerJoin(student, eq(student.email, key.email))
    .where(isNotNull(keyState.goneAt))
    .orderBy(asc(student.email), asc(key.createdAt))
    .all()
  const spent = rows.length === 0 ? new Map<string, number>() : lastUsage(db)
  return rows.map(({ mqId, goneAt, ...row }) => ({
    ...row,
    mqId: mqId ?? '',
    usage: spent.get(row.keyHash),
    goneAt: goneAt ?? '',
  }))
}

/** What each key had spent when it was looked at for the last time. */
function lastUsage(db: Db): Map<string, number> {
  // SQLite takes the other columns from the row with the maximum.
  const rows = db
    .select({ hash: usage.keyHash, usage: usage.usage, id: max(usage.id) })
    .from(usage)
    .groupBy(usage.keyHash)
    .all()
  return new Map(rows.map((row) => [row.hash, row.usage]))
}
