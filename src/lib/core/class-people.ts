import type { Key } from './key.js'
import { mqIdKey } from './key-name.js'
import { type FoundTarget, findTargets, type Target } from './limits.js'
import { matchKeys } from './matching.js'
import { emailKey, type Person } from './student.js'

/** Everybody of a class: those on the roster, and those whom the ledger knows from before. */
export function everybody(roster: readonly Person[], ledger: readonly Person[]): Person[] {
  const here = new Set(roster.map((person) => mqIdKey(person.mqId)))
  return [...roster, ...ledger.filter((person) => !here.has(mqIdKey(person.mqId)))]
}

/** Finds the keys that limits.csv speaks of, among the keys of the class alone: no other key is ever touched. */
export function findClassTargets(
  targets: readonly Target[],
  keys: readonly Key[],
  people: readonly Person[],
): FoundTarget[] {
  // Whether a key has expired does not matter here: a row may speak of any of them.
  const { matched } = matchKeys(keys, people)
  const byHash = new Map(matched.map(({ key }) => [key.hash, key]))
  const byEmail = new Map<string, Key[]>()
  for (const { student, key } of matched) {
    const email = emailKey(student.email)
    byEmail.set(email, [...(byEmail.get(email) ?? []), key])
  }
  return findTargets(targets, byHash, (email) => byEmail.get(emailKey(email)) ?? [])
}
