import { isExpired, type Key } from './key.js'
import { mqIdKey, mqIdOfKeyName } from './key-name.js'
import { byEmail, type Person } from './student.js'

/** A key and whose it is. */
export interface Match<P extends Person = Person> {
  student: P
  key: Key
}

/** Who has which key. */
export interface Matching<P extends Person = Person> {
  /** Sorted by address; a student's keys stand together, the oldest first. */
  matched: Match<P>[]
  /** Every other key, in the order of the listing. */
  orphaned: Key[]
  /** Students without any key that has not expired, in the order they were given. */
  keyless: P[]
  /** Students with more than one key that works, with those keys. */
  duplicates: { student: P; keys: Key[] }[]
}

/** Whose the keys are that the ledger knows: MQ IDs by hash. */
export type HeldBy = ReadonlyMap<string, string>

/**
 * Matches keys to people by the MQ ID at the end of the key's name, else by what the ledger knows: the name of a key
 * may be changed in the dashboard, and its hash, which is its identity, stays.
 * @param now tells which keys have expired
 */
export function matchKeys<P extends Person>(
  keys: readonly Key[],
  students: readonly P[],
  heldBy: HeldBy,
  now: Date,
): Matching<P> {
  const byMqId = new Map(students.map((student) => [mqIdKey(student.mqId), student]))
  const keysOf = new Map<P, Key[]>()
  const orphaned: Key[] = []
  for (const key of keys) {
    const named = byMqId.get(mqIdKey(mqIdOfKeyName(key.name) ?? ''))
    const student = named ?? byMqId.get(mqIdKey(heldBy.get(key.hash) ?? ''))
    const theirs = student && keysOf.get(student)
    if (!student) orphaned.push(key)
    else if (theirs) theirs.push(key)
    else keysOf.set(student, [key])
  }
  const groups = [...keysOf].map(([student, theirs]) => ({ student, keys: theirs.sort(byAge) }))
  groups.sort((a, b) => byEmail(a.student, b.student))
  return {
    matched: groups.flatMap(({ student, keys: theirs }) => theirs.map((key) => ({ student, key }))),
    orphaned,
    keyless: students.filter((student) => !keysOf.get(student)?.some((key) => !isExpired(key, now))),
    duplicates: groups
      .map(({ student, keys: theirs }) => ({
        student,
        keys: theirs.filter((key) => !key.disabled && !isExpired(key, now)),
      }))
      .filter(({ keys: enabled }) => enabled.length > 1),
  }
}

/** Whether a key has been given a name that does not end in its student's MQ ID. */
export function isRenamed({ student, key }: Match): boolean {
  return mqIdKey(mqIdOfKeyName(key.name) ?? '') !== mqIdKey(student.mqId)
}

/** Sorts keys by when they were made, the oldest first. */
export function byAge(a: Key, b: Key): number {
  return Date.parse(a.createdAt) - Date.parse(b.createdAt)
}
