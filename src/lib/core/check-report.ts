import type { KnownClass } from './class-people.js'
import type { Creation } from './creation.js'
import { settle } from './doubt.js'
import { isExpired, type Key } from './key.js'
import { mqIdOfKeyName } from './key-name.js'
import type { HeldBy, Matching } from './matching.js'
import type { CheckResult, Drift, MatchedKey, OrphanedKey } from './results.js'
import type { Rotation } from './rotation.js'
import { secondKeys } from './second-keys.js'
import { isPastMark, keyStatus } from './status.js'
import { isPlaceholder, type Person, type StudentRef, studentRef } from './student.js'

/** What `check` has found out. */
export interface CheckFindings {
  keys: readonly Key[]
  matching: Matching
  now: Date
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** The rotations that something is left to do for. */
  rotations: readonly Rotation[]
  /** Journal entries of creations that may still have left a key behind. */
  creations: readonly Creation[]
  /** Hashes of the keys that have not got the guardrail that they were made for. */
  unguarded: ReadonlySet<string>
  /** What the ledger knows of the class. */
  known: KnownClass
  /** The roster. */
  roster: readonly Person[]
  /** What has changed without this tool since the last check. */
  drift: readonly Drift[]
  /** Percent of the limit from which on a key is worth a look; undefined for none. */
  warnAt: number | undefined
}

/** What `check` tells of its findings, without the files and the retries. */
export function checkReport(findings: CheckFindings): Omit<CheckResult, 'roster' | 'files' | 'retries'> {
  const { keys, matching, now, warnAt, rotations, creations, secretHere, roster } = findings
  const retiring = new Map(
    rotations.flatMap(({ newHash, oldHash, retiredAt, retireAt }) =>
      newHash !== null && retiredAt === null ? [[oldHash, retireAt] as const] : [],
    ),
  )
  const working = new Map(matching.duplicates.map(({ student, keys: theirs }) => [student, theirs.length]))
  const matched = matching.matched.map(({ student, key }) =>
    matchedKey(
      student,
      key,
      keyStatus(student, key, {
        now,
        warnAt,
        enabledKeys: working.get(student) ?? 1,
        unguarded: findings.unguarded.has(key.hash),
      }),
      findings,
    ),
  )
  const doubt = settle(creations, keys, secretHere)
  const inDoubt = [
    ...creations.filter(({ state }) => state === 'open' || state === 'undoing'),
    ...doubt.lost.map(({ creation }) => creation),
  ]
  const lost = new Set(doubt.lost.map(({ hash }) => hash))
  const keyless = matching.keyless.filter(({ email }) => !isPlaceholder(email)).map(studentRef)
  const orphaned = matching.orphaned.map((key) => orphanedKey(key, findings.known.heldBy))
  const ofKind = (kind: OrphanedKey['kind']) => orphaned.filter((key) => key.kind === kind).length
  return {
    counts: {
      keys: keys.length,
      matched: matched.length,
      orphaned: orphaned.length,
      left: ofKind('left'),
      unknown: ofKind('unknown'),
      foreign: ofKind('foreign'),
      keyless: matching.keyless.length,
      secretless: matched.filter((key) => !key.secretHere && !lost.has(key.hash)).length,
      expired: matched.filter((key) => key.expired).length,
    },
    matched,
    orphaned,
    keyless: matching.keyless.map(studentRef),
    secondKeys: secondKeys(keyless, roster, { ...findings.known, keys, now }),
    duplicates: matching.duplicates.flatMap(({ student, keys: theirs }) => {
      const hashes = theirs.map((key) => key.hash).filter((hash) => !retiring.has(hash) && !lost.has(hash))
      return hashes.length > 1 ? [{ ...studentRef(student), hashes }] : []
    }),
    replaced: matching.matched.flatMap(({ student, key: { hash, name: keyName, disabled } }) => {
      const until = disabled ? undefined : retiring.get(hash)?.toISOString()
      return until === undefined ? [] : [{ ...studentRef(student), keyName, hash, until }]
    }),
    pastMark: distinct(
      matching.matched
        .filter(({ key }) => !key.disabled && !isExpired(key, now) && isPastMark(key, warnAt))
        .map(({ student }) => studentRef(student)),
    ),
    inDoubt: distinct(inDoubt.map(({ student }) => studentRef(student))),
    drift: [...findings.drift],
  }
}

/** Whether a scheduled check has something to report: drift, students without a key, students past the mark. */
export function needsAttention({
  drift,
  keyless,
  pastMark,
}: Pick<CheckResult, 'drift' | 'keyless' | 'pastMark'>): boolean {
  return drift.length + keyless.length + pastMark.length > 0
}

function matchedKey(
  student: Person,
  key: Key,
  status: string,
  { now, secretHere }: CheckFindings,
): MatchedKey {
  const { hash, name: keyName, usage, limit, limitRemaining, limitReset, disabled, expiresAt } = key
  const figures = { keyName, hash, usage, limit, limitRemaining, limitReset, disabled, expiresAt }
  const expired = isExpired(key, now)
  return { ...studentRef(student), ...figures, expired, secretHere: secretHere.has(hash), status }
}

function orphanedKey({ name: keyName, hash, usage, limit, disabled }: Key, heldBy: HeldBy): OrphanedKey {
  const kind = heldBy.has(hash) ? 'left' : mqIdOfKeyName(keyName) === undefined ? 'foreign' : 'unknown'
  return { kind, keyName, hash, usage, limit, disabled }
}

function distinct(students: readonly StudentRef[]): StudentRef[] {
  return [...new Map(students.map((student) => [student.mqId, student])).values()]
}
