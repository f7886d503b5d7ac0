import type { LimitReset, Usd } from './money.js'

/** A person of the class as the ledger knows them; the MQ ID is the identity, the address may change. */
export interface Person {
  firstName: string
  lastName: string
  email: string
  mqId: string
}

/** One row of the roster. */
export interface Student extends Person {
  /** Line in the roster; the header is line 1. */
  line: number
  /** What the key may spend, in US dollars; undefined where the roster does not say. */
  budget: Usd | undefined
  limitReset: LimitReset
  /** When the key is to expire, UTC with seconds; undefined where the roster does not say. */
  expiresAt: string | undefined
}

const PLACEHOLDER = '@fixme.mq.edu.au'

/** Whether an address stands for one that nobody has found out yet; nothing is made for it. */
export function isPlaceholder(email: string): boolean {
  return email.toLowerCase().endsWith(PLACEHOLDER)
}

/** The name as it stands in files and tables: `First Last`. */
export function fullName(person: { firstName: string; lastName: string }): string {
  return `${person.firstName} ${person.lastName}`
}

/** A student as plans and results name them. */
export interface StudentRef {
  email: string
  name: string
  mqId: string
}

/** A student as plans and results name them. */
export function studentRef(person: Person): StudentRef {
  return { email: person.email, name: fullName(person), mqId: person.mqId }
}

/** The form in which two addresses are compared: case does not tell two people apart. */
export function emailKey(email: string): string {
  return email.toLowerCase()
}

/** Sorts by address, case aside, in an order that does not depend on the machine's language. */
export function byEmail(a: { email: string }, b: { email: string }): number {
  const [x, y] = [emailKey(a.email), emailKey(b.email)]
  return x < y ? -1 : x > y ? 1 : 0
}
