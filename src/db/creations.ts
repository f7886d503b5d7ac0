import { and, asc, eq, inArray } from 'drizzle-orm'
import type { Creation, CreationState, KeyRequest, WrongTerms } from '../lib/core/creation.js'
import type { Key } from '../lib/core/key.js'
import { mqIdKey } from '../lib/core/key-name.js'
import { limitText } from '../lib/core/money.js'
import { ledgerTime } from '../lib/core/times.js'
import type { Db } from './connection.js'
import { wishGuardrail } from './guardrails.js'
import { keyWriter, logChanges, markGone } from './keys.js'
import { setNewKey } from './rotations.js'
import { readStudents, upsertStudents } from './students.js'
import { changelog, creation, keyState, secret } from './tables.js'

/** Writes down that keys are about to be asked for; gives the entries' numbers, in the same order. */
export function intend(db: Db, requests: readonly KeyRequest[], at: Date): number[] {
  return requests.map(({ student, keyName, limit, limitReset, expiresAt, replaces }) => {
    const { mqId, email, firstName, lastName } = student
    const person = { mqId, email, firstName, lastName }
    const entry = { ...person, keyName, creditLimit: limit, limitReset, expiresAt, replaces }
    const [row] = db
      .insert(creation)
      .values({ ...entry, state: 'open', intendedAt: at })
      .returning({ id: creation.id })
      .all()
    if (!row) throw new Error('SQLite gave no number to a new row')
    return row.id
  })
}

/** The entries that may still have left a key behind that nobody knows of. */
export function unsettled(db: Db): Creation[] {
  const rows = db
    .select()
    .from(creation)
    .where(inArray(creation.state, ['open', 'undoing', 'absent']))
    .orderBy(asc(creation.id))
    .all()
  return rows.map((row) => ({
    id: row.id,
    state: row.state,
    student: { mqId: row.mqId, email: row.email, firstName: row.firstName, lastName: row.lastName },
    keyName: row.keyName,
    limit: row.creditLimit,
    limitReset: row.limitReset,
    expiresAt: row.expiresAt,
    replaces: row.replaces,
    intendedAt: row.intendedAt,
    keyHash: row.keyHash,
  }))
}

/** The answer to a creation: its secret, key, student, changelog row, what it is to have and to replace, and the end of its entry, all at once. */
export function complete(
  db: Db,
  id: number,
  request: KeyRequest,
  made: { key: Key; secret: string },
  at: Date,
): void {
  const { hash } = made.key
  db.insert(secret)
    .values({ keyHash: hash, secret: made.secret, obtainedAt: ledgerTime(at) })
    .run()
  upsertStudents(db, [request.student], at)
  keyWriter(db, at)(made.key, request.student.email)
  logChanges(
    db,
    [{ keyHash: hash, action: 'provisioned', oldValue: null, newValue: limitText(made.key.limit) }],
    at,
  )
  if (request.guardrail) wishGuardrail(db, hash, request.guardrail)
  if (request.replaces) {
    setNewKey(db, request.student.mqId, hash)
    logChanges(db, [{ keyHash: request.replaces, action: 'replaced', oldValue: null, newValue: hash }], at)
  }
  close(db, [id], 'done', at, hash)
}

/** Ends entries that made nothing: refused by OpenRouter, or not to be found in its listing. */
export function closeEmpty(db: Db, ids: readonly number[], state: 'refused' | 'absent', at: Date): void {
  close(db, ids, state, at)
}

/** Writes down that the lost key of a creation is about to be deleted. */
export function startUndoing(db: Db, id: number, lost: Key, at: Date): void {
  const entry = db.select().from(creation).where(eq(creation.id, id)).get()
  if (!entry) throw new Error(`the journal has no entry ${id}`)
  const { mqId, email, firstName, lastName } = entry
  // The entry tells who the student was then; what the ledger has learnt since is newer.
  const known = readStudents(db).find((person) => mqIdKey(person.mqId) === mqIdKey(mqId))
  if (!known) upsertStudents(db, [{ mqId, email, firstName, lastName }], at)
  keyWriter(db, at)(lost, known?.email ?? email)
  db.update(creation).set({ state: 'undoing', keyHash: lost.hash }).where(eq(creation.id, id)).run()
}

/**
 * The keys that were made with another limit or reset period than was asked for. Whatever anybody has changed since is
 * as it is meant.
 */
export function wrongTerms(db: Db): WrongTerms[] {
  const { keyHash: hash, action, newValue } = changelog
  const actions = ['provisioned', ...LIMIT_CHANGED, ...RESET_CHANGED]
  const log = db.select({ hash, action, newValue }).from(changelog).where(inArray(action, actions)).all()
  const hashesOf = (of: readonly string[]) =>
    new Set(log.flatMap((row) => (of.includes(row.action) ? [row.hash] : [])))
  const [limitChanged, resetChanged] = [hashesOf(LIMIT_CHANGED), hashesOf(RESET_CHANGED)]
  const madeWith = new Map(
    log.flatMap((row) => (row.action === 'provisioned' ? [[row.hash, row.newValue]] : [])),
  )
  const made = db
    .select({
      hash: creation.keyHash,
      limit: creation.creditLimit,
      limitReset: creation.limitReset,
      resetNow: keyState.limitReset,
    })
    .from(creation)
    .innerJoin(keyState, eq(keyState.keyHash, creation.keyHash))
    .where(eq(creation.state, 'done'))
    .all()
  return made.flatMap(({ hash: ofKey, limit, limitReset, resetNow }) => {
    if (ofKey === null) return []
    const wrongLimit = !limitChanged.has(ofKey) && madeWith.get(ofKey) !== limitText(limit)
    const wrongReset = !resetChanged.has(ofKey) && resetNow !== limitReset
    return wrongLimit || wrongReset
      ? [{ hash: ofKey, ...(wrongLimit && { limit }), ...(wrongReset && { limitReset }) }]
      : []
  })
}

const LIMIT_CHANGED = ['update_limit', 'observed_limit']
const RESET_CHANGED = ['update_limit_reset', 'observed_limit_reset']

/** The hashes of the lost keys whose deletion is under way. */
export function hashesBeingUndone(db: Db): Set<string | null> {
  const rows = db.select({ hash: creation.keyHash }).from(creation).where(eq(creation.state, 'undoing')).all()
  return new Set(rows.map((row) => row.hash))
}

/** Writes down that the lost key of a creation is deleted. */
export function finishUndoing(db: Db, id: number, at: Date): void {
  const entry = db
    .select()
    .from(creation)
    .where(and(eq(creation.id, id), eq(creation.state, 'undoing')))
    .get()
  if (!entry?.keyHash) return
  const { keyHash, keyName } = entry
  markGone(db, keyHash, at)
  logChanges(db, [{ keyHash, action: 'deleted_lost', oldValue: keyName, newValue: null }], at)
  close(db, [id], 'undone', at, keyHash)
}

function close(
  db: Db,
  ids: readonly number[],
  state: CreationState,
  at: Date,
  keyHash: string | null = null,
): void {
  if (ids.length === 0) return
  db.update(creation)
    .set({ state, closedAt: at, keyHash })
    .where(inArray(creation.id, [...ids]))
    .run()
}
