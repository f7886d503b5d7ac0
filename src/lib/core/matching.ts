import { isExpired, type Key } from './key.js'
import { mqIdKey, mqIdOfKeyName } from './key-name.js'
import { byEmail, type Person } from './student.js'

/** A key and the student whose MQ ID ends its name. */
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

/**
 * Matches keys to people by the MQ ID at the end of the key's name.
 * @param now tells which keys have expired; without it, none has
 */
export function matchKeys<P extends Person>(
  keys: readonly Key[],
  students: readonly P[],
  now = new Date(0),
): Matching<P> {
  const byMqId = new Map(students.map((student) => [mqIdKey(student.mqId), student]))
  const keysOf = new Map<P, Key[]>()
  const orphaned: Key[] = []
  for (const key of keys) {
    const mqId = mqIdOfKeyName(key.name)
    const student = mqId === undefined ? undefined : byMqId.get(mqIdKey(mqId))
    if (!student) orphaned.push(key)
    else keysOf.set(student, [...(keysOf.get(student) ?? []), key])
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

/** Sorts keys by when they were made, the oldest first. */
export function byAge(a: Key, b: Key): number {
  return Date.parse(a.createdAt) - Date.parse(b.createdAt)
}
