import { eq, inArray, or, sql } from 'drizzle-orm'
import { mqIdKey } from '../lib/core/key-name.js'
import type { Person } from '../lib/core/student.js'
import { ledgerTime } from '../lib/core/times.js'
import type { Db } from './connection.js'
import { key, student } from './tables.js'

/**
 * Brings the people of the ledger up to date; nobody is ever replaced, so that `created_at` survives. A person
 * whose address has changed is found by MQ ID, also where two people have swapped theirs.
 *
 * Must run inside a transaction.
 */
export function upsertStudents(db: Db, people: readonly Person[], at: Date): void {
  moveAddresses(db, people)
  const row = {
    email: sql.placeholder('email'),
    firstName: sql.placeholder('firstName'),
    lastName: sql.placeholder('lastName'),
    mqId: sql.placeholder('mqId'),
    createdAt: ledgerTime(at),
  }
  const upsert = db
    .insert(student)
    .values(row)
    .onConflictDoUpdate({
      target: student.email,
      set: {
        firstName: sql`excluded.first_name`,
        lastName: sql`excluded.last_name`,
        mqId: sql`excluded.mq_id`,
      },
    })
    .prepare()
  for (const { email, firstName, lastName, mqId } of people) upsert.run({ email, firstName, lastName, mqId })
}

/** Everybody the ledger knows by MQ ID. */
export function readStudents(db: Db): Person[] {
  const rows = db.select().from(student).all()
  return rows.flatMap(({ email, firstName, lastName, mqId }) =>
    mqId === null ? [] : [{ email, firstName, lastName, mqId }],
  )
}

/** So many people are looked for one by one: a new key must not cost a look at everybody. */
const FEW = 50

/** The rows of people, by MQ ID, and of whoever has their addresses; of many people, all rows there are. */
function rowsOf(db: Db, people: readonly Person[]) {
  const all = db.select({ email: student.email, mqId: student.mqId }).from(student)
  if (people.length > FEW) return all.all()
  const emails = people.map(({ email }) => email)
  const mqIds = people.map(({ mqId }) => mqIdKey(mqId))
  return all.where(or(inArray(student.email, emails), inArray(sql`lower(${student.mqId})`, mqIds))).all()
}

function moveAddresses(db: Db, people: readonly Person[]): void {
  const rows = rowsOf(db, people)
  const addressOf = new Map(
    rows.flatMap(({ email, mqId }) => (mqId === null ? [] : [[mqIdKey(mqId), email] as const])),
  )
  const holderOf = new Map(rows.map(({ email, mqId }) => [email, mqId]))
  const moves = people.flatMap((person) => {
    const from = addressOf.get(mqIdKey(person.mqId))
    return from === undefined || from === person.email ? [] : [{ from, to: person.email, mqId: person.mqId }]
  })
  for (const { from } of moves) holderOf.delete(from)
  const moving = new Set(moves.map(({ mqId }) => mqId))
  const taken = people.filter(({ email, mqId }) => {
    const holder = holderOf.get(email)
    // A row without an MQ ID is the same person's, unless that person has a row already.
    return holder === null ? moving.has(mqId) : holder !== undefined && mqIdKey(holder) !== mqIdKey(mqId)
  })
  if (moves.length + taken.length === 0) return
  // Keys refer to people by address: between the two updates of a move, they refer to nobody.
  db.run(sql`PRAGMA defer_foreign_keys = ON`)
  const aside = (mqId: string) => `moving:${mqId}`
  for (const { from, mqId } of moves) moveAddress(db, from, aside(mqId))
  for (const { email } of taken) giveWay(db, email)
  for (const { to, mqId } of moves) moveAddress(db, aside(mqId), to)
}

/**
 * Takes an address from the person who has it in the ledger, since the roster has given it to somebody else.
 * Both stay who they are: with the address alone, the newcomer would be handed the other one's keys.
 */
function giveWay(db: Db, email: string): void {
  const holder = db.select().from(student).where(eq(student.email, email)).get()
  if (!holder) return
  const name = holder.mqId ?? `unknown-${email.replace(/@.*/, '')}`
  for (let n = 1; ; n++) {
    const free = `${name}${n === 1 ? '' : `-${n}`}@FIXME.mq.edu.au`
    if (db.select().from(student).where(eq(student.email, free)).get()) continue
    moveAddress(db, email, free)
    return
  }
}

function moveAddress(db: Db, from: string, to: string): void {
  db.update(student).set({ email: to }).where(eq(student.email, from)).run()
  db.update(key).set({ email: to }).where(eq(key.email, from)).run()
}
