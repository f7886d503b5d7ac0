import type { Ledger } from '../../db/ledger.js'
import type { Key } from '../core/key.js'
import { matchKeys } from '../core/matching.js'
import { nextLimits } from '../core/next-limits.js'
import { reachedTargets } from '../core/relative-targets.js'
import type { Person } from '../core/student.js'
import { studentRef } from '../core/student.js'
import { loadLimitsIfThere, saveLimits } from '../files/limits-file.js'
import { saveSnapshot } from '../files/snapshot-file.js'
import { findClassTargets } from './find-targets.js'

/** The files that tell what is so in OpenRouter now. */
export interface ClassFiles {
  limits: string
  snapshot: string
}

/**
 * Writes limits.csv anew, with its targets, and a snapshot.
 * @param limits where limits.csv is; it is read again, since the instructor may have saved it meanwhile
 * @param people the class
 * @param keys everything in OpenRouter as it is now
 * @param answered keys that a newer instruction than their row was about: their targets are taken out
 * @throws ClassKeysError `file_unwritable`; BadFileError
 */
export async function saveClassFiles(
  limits: string,
  people: readonly Person[],
  keys: readonly Key[],
  ledger: Ledger,
  answered: ReadonlySet<string>,
): Promise<ClassFiles> {
  const now = new Date()
  // In this order: update replaces the cell first, and forgets what it came to afterwards.
  const intended = await ledger.relativeTargets()
  const file = await loadLimitsIfThere(limits, { atWork: true })
  const known = await ledger.knownClass()
  const { matched } = matchKeys(keys, people, known.heldBy, now)
  const found = findClassTargets(file, { keys, roster: people, known, now })
  const rows = matched.map(({ student, key }) => ({ student: studentRef(student), key }))
  const reached = reachedTargets(found, intended)
  const [snapshot] = await Promise.all([
    saveSnapshot('.', matched, now),
    saveLimits(limits, nextLimits(rows, found, { reached, answered })),
  ])
  return { limits, snapshot }
}
