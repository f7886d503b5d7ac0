import type { Key } from './key.js'
import { mqIdKey } from './key-name.js'
import { type HeldBy, type Match, matchKeys } from './matching.js'
import { byEmail, type Person } from './student.js'

/** What the ledger knows of the class. */
export interface KnownClass {
  /** Everybody who has ever been in it. */
  students: readonly Person[]
  heldBy: HeldBy
  /** The keys that have been replaced by newer ones: the new hash by the old one. */
  replaced: ReadonlyMap<string, string>
}

/** Everybody of a class: those on the roster, and those whom the ledger knows from before. */
export function everybody(roster: readonly Person[], ledger: readonly Person[]): Person[] {
  const here = new Set(roster.map((person) => mqIdKey(person.mqId)))
  return [...roster, ...ledger.filter((person) => !here.has(mqIdKey(person.mqId)))]
}

/** For a matching of which nobody asks who is without a key. */
const WHENEVER = new Date(0)

/**
 * The keys of the class, by address: those of students on the roster, and those that the ledger knows to be of
 * students who have left. A key named for somebody who has left, and that the ledger has never seen, may be of another
 * class.
 */
export function keysOfClass(
  keys: readonly Key[],
  roster: readonly Person[],
  known: Pick<KnownClass, 'students' | 'heldBy'>,
): Match[] {
  const { matched, orphaned } = matchKeys(keys, roster, known.heldBy, WHENEVER)
  const people = new Map(everybody(roster, known.students).map((person) => [mqIdKey(person.mqId), person]))
  const held = orphaned.flatMap((key) => {
    const student = people.get(mqIdKey(known.heldBy.get(key.hash) ?? ''))
    return student ? [{ student, key }] : []
  })
  return [...matched, ...held].sort((a, b) => byEmail(a.student, b.student))
}
