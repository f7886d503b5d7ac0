import type { Key } from './key.js'
import { mqIdKey } from './key-name.js'
import { type FoundTarget, findTargets, type Target } from './limits.js'
import { type Match, matchKeys } from './matching.js'
import { byEmail, emailKey, type Person } from './student.js'

/** What the ledger knows of the class. */
export interface KnownClass {
  /** Everybody who has ever been in it. */
  students: readonly Person[]
  /** Whose the keys are, MQ IDs by hash. */
  heldBy: ReadonlyMap<string, string>
  /** The keys that have been replaced by newer ones: the new hash by the old one. */
  replaced: ReadonlyMap<string, string>
}

/** Everybody of a class: those on the roster, and those whom the ledger knows from before. */
export function everybody(roster: readonly Person[], ledger: readonly Person[]): Person[] {
  const here = new Set(roster.map((person) => mqIdKey(person.mqId)))
  return [...roster, ...ledger.filter((person) => !here.has(mqIdKey(person.mqId)))]
}

/**
 * The keys of the class, by address: those named for a student of the roster, and those that the ledger knows,
 * whatever they are called. A key named for somebody who has left, and that the ledger has never seen, may be of
 * another class.
 */
export function keysOfClass(
  keys: readonly Key[],
  roster: readonly Person[],
  known: Pick<KnownClass, 'students' | 'heldBy'>,
): Match[] {
  const { matched, orphaned } = matchKeys(keys, roster)
  const people = new Map(everybody(roster, known.students).map((person) => [mqIdKey(person.mqId), person]))
  const held = orphaned.flatMap((key) => {
    const student = people.get(mqIdKey(known.heldBy.get(key.hash) ?? ''))
    return student ? [{ student, key }] : []
  })
  return [...matched, ...held].sort((a, b) => byEmail(a.student, b.student))
}

/** Finds the keys that limits.csv speaks of, among the keys of the class alone: no other key is ever touched. */
export function findClassTargets(
  targets: readonly Target[],
  keys: readonly Key[],
  roster: readonly Person[],
  known: KnownClass,
): FoundTarget[] {
  const ofClass = keysOfClass(keys, roster, known)
  const byHash = new Map(ofClass.map(({ key }) => [key.hash, key]))
  const byEmail = new Map<string, Key[]>()
  for (const { student, key } of ofClass) {
    const email = emailKey(student.email)
    byEmail.set(email, [...(byEmail.get(email) ?? []), key])
  }
  return findTargets(targets, byHash, (email) => byEmail.get(emailKey(email)) ?? [], known.replaced)
}
