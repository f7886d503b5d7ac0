import type { Key } from './key.js'
import type { Matching } from './matching.js'
import { type StudentRef, studentRef } from './provision-plan.js'
import type { CheckResult, MatchedKey, OrphanedKey } from './results.js'
import { keyStatus } from './status.js'
import type { Person } from './student.js'

/** What `check` tells of a matching, without the files and the retries. */
export function checkReport(
  keys: readonly Key[],
  matching: Matching,
  inDoubt: readonly Person[],
): Omit<CheckResult, 'roster' | 'files' | 'retries'> {
  const enabled = new Map(matching.duplicates.map(({ student, keys: theirs }) => [student, theirs.length]))
  return {
    counts: {
      keys: keys.length,
      matched: matching.matched.length,
      orphaned: matching.orphaned.length,
      keyless: matching.keyless.length,
    },
    matched: matching.matched.map(({ student, key }) => matchedKey(student, key, enabled.get(student) ?? 1)),
    orphaned: matching.orphaned.map(orphanedKey),
    keyless: matching.keyless.map(studentRef),
    duplicates: matching.duplicates.map(({ student, keys: theirs }) => ({
      ...studentRef(student),
      hashes: theirs.map((key) => key.hash),
    })),
    inDoubt: distinct(inDoubt.map(studentRef)),
  }
}

function matchedKey(student: Person, key: Key, enabledKeys: number): MatchedKey {
  const { hash, name: keyName, usage, limit, limitRemaining, limitReset, disabled } = key
  const status = keyStatus(student, key, enabledKeys)
  return { ...studentRef(student), keyName, hash, usage, limit, limitRemaining, limitReset, disabled, status }
}

function orphanedKey({ name: keyName, hash, usage, limit, disabled }: Key): OrphanedKey {
  return { keyName, hash, usage, limit, disabled }
}

function distinct(students: readonly StudentRef[]): StudentRef[] {
  return [...new Map(students.map((student) => [student.mqId, student])).values()]
}
