import { type KnownClass, keysOfClass } from '../core/class-people.js'
import { BadFileError } from '../core/errors.js'
import { type FoundTarget, findTargets, mixedUpRows } from '../core/find-targets.js'
import type { Key } from '../core/key.js'
import { emailKey, type Person } from '../core/student.js'
import type { LimitsFile } from '../files/limits-file.js'

/** The class whose keys limits.csv may speak of. */
export interface ClassOfLimits {
  keys: readonly Key[]
  roster: readonly Person[]
  known: KnownClass
  /** Tells which keys have expired. */
  now: Date
}

/**
 * Finds the keys that limits.csv speaks of, among the keys of the class alone: no other key is ever touched.
 * @throws BadFileError with every row whose hash is of one student, and whose address and MQ ID are of another
 */
export function findClassTargets(
  { path, targets, consequence }: LimitsFile,
  { keys, roster, known, now }: ClassOfLimits,
): FoundTarget[] {
  const ofClass = keysOfClass(keys, roster, known)
  const byHash = new Map(ofClass.map(({ key }) => [key.hash, key]))
  const emailOf = new Map(ofClass.map(({ student, key }) => [key.hash, emailKey(student.email)]))
  // Where hash and address are of one student, the row is whole: the MQ ID in it was corrected since.
  const doubtful = targets.filter(({ hash, email }) => emailOf.get(hash) !== emailKey(email))
  const mixedUp = mixedUpRows(doubtful, byHash)
  if (mixedUp.length > 0) throw new BadFileError(path, mixedUp, consequence)
  const byEmail = new Map<string, Key[]>()
  for (const { student, key } of ofClass) {
    const theirs = byEmail.get(emailKey(student.email))
    if (theirs) theirs.push(key)
    else byEmail.set(emailKey(student.email), [key])
  }
  const ofEmail = (email: string) => byEmail.get(emailKey(email)) ?? []
  return findTargets(targets, { byHash, ofEmail, replaced: known.replaced, now })
}
