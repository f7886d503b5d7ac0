import { asc, eq } from 'drizzle-orm'
import { type HistoryEntry, parseLedgerTime } from '../lib/core/history.js'
import { studentRef } from '../lib/core/student.js'
import type { Db } from './connection.js'
import { changelog, key, student } from './tables.js'

/** The whole changelog, oldest first, with what the ledger knows of each row's key and student. */
export function readHistory(db: Db): HistoryEntry[] {
  const rows = db
    .select({ change: changelog, keyName: key.keyName, student })
    .from(changelog)
    .leftJoin(key, eq(key.keyHash, changelog.keyHash))
    .leftJoin(student, eq(student.email, key.email))
    .orderBy(asc(changelog.id))
    .all()
  return rows.map(({ change, keyName, student: person }) => ({
    id: change.id,
    ...readTime(change.changedAt),
    action: change.action,
    oldValue: change.oldValue,
    newValue: change.newValue,
    hash: change.keyHash,
    keyName,
    student: person && studentRef({ ...person, mqId: person.mqId ?? '' }),
  }))
}

/** Whatever a ledger of another tool has in the place of a time: a number and nothing are possible too. */
function readTime(value: unknown): Pick<HistoryEntry, 'at' | 'atText'> {
  const atText = String(value ?? '')
  return { at: parseLedgerTime(atText) ?? null, atText }
}
