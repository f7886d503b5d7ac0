import type { DeleteKey, DisableKey } from './changes.js'
import { keysOfClass } from './class-people.js'
import type { Creation, GuardrailRef } from './creation.js'
import { settle } from './doubt.js'
import { utcText } from './expiry.js'
import { isExpired, type Key } from './key.js'
import { keyName, mqIdKey } from './key-name.js'
import { byAge } from './matching.js'
import { type Limit, sumUsd } from './money.js'
import {
  type CreateKey,
  type DeleteLostKey,
  deleteLostKey,
  type LeftAlone,
  leftAloneOf,
  type StudentRef,
  studentRef,
} from './provision-plan.js'
import { assess, type Safety } from './safety.js'
import { isPlaceholder, type Person } from './student.js'

/** What a run sets out to do for one key. */
export interface NewRotation {
  mqId: string
  oldHash: string
  /** Whether the old key is deleted in the end, instead of disabled. */
  deleteOld: boolean
  /** When the old key is to be retired; it is not before the new one is made. */
  retireAt: Date
}

/** One entry of the journal of rotations. */
export interface Rotation extends NewRotation {
  id: number
  /** Null as long as the new key is not made. */
  newHash: string | null
  plannedAt: Date
  /** When the old key was disabled or deleted. */
  retiredAt: Date | null
  /** When nothing was left to do for the run that began it, but to retire an old key that is kept. */
  closedAt: Date | null
}

/** The changes that give students a new key each in the place of the one they have. Data: it can be shown, stored and applied. */
export interface RotationPlan {
  version: 1
  command: 'rotate'
  /** Lost keys first, then the new keys, then the old ones: each is retired only when its new one is made. */
  changes: (DeleteLostKey | CreateKey | DisableKey | DeleteKey)[]
  /** Old keys that stay in use until a later run. */
  kept: (StudentRef & { keyName: string; hash: string; until: string })[]
  /** Who gets no new key, and why. */
  skipped: (StudentRef & { why: string })[]
  /** When the run was begun that this one goes on with; null for a new one. ISO 8601, UTC. */
  goesOnSince: string | null
  leftAlone: LeftAlone[]
  /** Journal entries that the listing shows to have made nothing. */
  absent: number[]
  /** Journal entries whose lost key is gone: an earlier run deleted it and could not write that down. */
  undone: number[]
  /** Rotations of the journal with nothing left to do but to write that down: their old key is out of use already. */
  retired: string[]
  /** Rotations of the journal that have become pointless, by their numbers: there is no key to replace any more. */
  moot: number[]
  safety: Safety
}

/** What a plan of rotations is made from. */
export interface RotationInput {
  /** Who is to get a new key, in the order of the plan. */
  students: readonly Person[]
  /** The roster, or everybody the ledger knows where there is none. */
  roster: readonly Person[]
  /** Everybody of the class, those who have left too: theirs are the class's keys. */
  everybody: readonly Person[]
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Whose the keys are that the ledger knows, MQ IDs by hash. */
  heldBy: ReadonlyMap<string, string>
  /** Journal entries of creations that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** The rotations that something is left to do for, now or later, and those of the same runs that are done. */
  rotations: readonly Rotation[]
  /** Which key has which guardrail. */
  guardrailOf: ReadonlyMap<string, GuardrailRef>
  /** Whether only keys are replaced whose secret is not in the ledger. */
  onlyLost: boolean
  deleteOld: boolean
  /** For how many days the old key stays in use. */
  keepOldDays: number
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange?: number
  /** Now: its day goes into the names of new keys (local time), and keys that have expired by it count as none. */
  today: Date
}

const DAY_MS = 86_400_000

/**
 * Plans new keys in the place of old ones. Where an earlier run was interrupted, what it left undone is gone on
 * with: whoever got a new key from it already does not get another one.
 */
export function planRotation(input: RotationInput): RotationPlan {
  const doubt = settle(input.creations, input.keys, input.secretHere)
  const lost = doubt.lost.map(deleteLostKey)
  const leftAlone = doubt.unclear.map(leftAloneOf)
  const gone = new Set(lost.map(({ hash }) => hash))
  const there = input.keys.filter((key) => !gone.has(key.hash))
  const byHash = new Map(there.map((key) => [key.hash, key]))
  const open = openRotations(input, byHash)
  const goingOn = input.students.flatMap((student) => open.get(mqIdKey(student.mqId)) ?? [])
  const keysOf = keysByStudent(input, there)
  const situation: Situation = {
    ...input,
    byHash,
    keysOf,
    unclear: new Set(leftAlone.map(({ mqId }) => mqIdKey(mqId))),
    open,
    doneInRun: doneInRun(input.rotations, goingOn),
    beingReplaced: new Set(input.rotations.flatMap((row) => (row.retiredAt === null ? [row.oldHash] : []))),
  }
  const steps = input.students.map((student) => ({ student, ...stepFor(student, situation) }))
  const changes = [
    ...lost,
    ...steps.flatMap(({ create }) => create ?? []),
    ...steps.flatMap(({ retire }) => retire ?? []),
  ]
  return {
    version: 1,
    command: 'rotate',
    changes,
    kept: steps.flatMap(({ keep }) => keep ?? []),
    skipped: steps.flatMap(({ student, skip }) => (skip ? [{ ...studentRef(student), why: skip }] : [])),
    goesOnSince: goingOn[0]?.plannedAt.toISOString() ?? null,
    leftAlone,
    absent: doubt.absent.map(({ id }) => id),
    undone: doubt.undone.map(({ id }) => id),
    retired: steps.flatMap(({ retired }) => retired ?? []),
    moot: steps.flatMap(({ moot }) => moot ?? []),
    safety: assess(changes, [...keysOf.values()].flat(), input.maxChange),
  }
}

/** What the steps of all students depend on. */
interface Situation extends RotationInput {
  byHash: ReadonlyMap<string, Key>
  /** By MQ ID, the oldest first. */
  keysOf: ReadonlyMap<string, Key[]>
  /** Students with a creation of which nothing can be told for certain. */
  unclear: ReadonlySet<string>
  /** What earlier runs left undone, by MQ ID. */
  open: ReadonlyMap<string, Rotation[]>
  /** Who got a new key from the run that is gone on with. */
  doneInRun: ReadonlySet<string>
  /** Old keys that stay in use until a later run. */
  beingReplaced: ReadonlySet<string>
}

/** What is planned for one student. */
interface Step {
  create?: CreateKey
  retire?: (DisableKey | DeleteKey)[]
  keep?: RotationPlan['kept']
  skip?: string
  retired?: string[]
  moot?: number[]
}

const DONE_ALREADY = 'done already by the run that was interrupted'

function stepFor(student: Person, situation: Situation): Step {
  const { open, unclear, doneInRun } = situation
  const id = mqIdKey(student.mqId)
  if (unclear.has(id)) return { skip: 'an earlier creation is in doubt' }
  const rows = open.get(id)
  if (rows) return goOn(student, rows, situation)
  if (doneInRun.has(id)) return { skip: DONE_ALREADY }
  if (isPlaceholder(student.email)) return { skip: 'the address is a placeholder: find it out first' }
  const old = keyToReplace(id, situation)
  if (typeof old === 'string') return { skip: old }
  return {
    create: newKey(student, old, situation),
    ...oldKeyStep(student, old, newRotation(student, old, situation), situation),
  }
}

/**
 * What is left to do for the rotations of one student. There are several where an old key was kept and its new
 * one replaced before the old one was due; none of them makes a second new key.
 */
function goOn(student: Person, rows: readonly Rotation[], situation: Situation): Step {
  const { byHash, today } = situation
  const step: Required<Pick<Step, 'retire' | 'keep' | 'retired' | 'moot'>> & Step = {
    retire: [],
    keep: [],
    retired: [],
    moot: [],
  }
  for (const row of rows) {
    const old = byHash.get(row.oldHash)
    const isMade = row.newHash !== null && byHash.has(row.newHash)
    if (!isMade && (!old || old.disabled || isExpired(old, today))) {
      // Somebody has taken the old key away meanwhile: then there is nothing to replace.
      step.moot.push(row.id)
      step.skip = 'the key that was to be replaced is out of use'
      continue
    }
    if (!isMade && old) {
      if (step.create) continue
      step.create = newKey(student, old, situation)
    }
    if (!old || (old.disabled && !row.deleteOld)) {
      step.retired.push(row.oldHash)
      continue
    }
    const { retire = [], keep = [] } = oldKeyStep(student, old, row, situation)
    step.retire.push(...retire)
    step.keep.push(...keep)
  }
  if (step.create || step.retire.length > 0) delete step.skip
  else if (step.moot.length === 0) step.skip = DONE_ALREADY
  return step
}

/** What becomes of the old key: it is retired now, or kept for some days. */
function oldKeyStep(
  student: Person,
  { name, hash }: Key,
  { deleteOld, retireAt }: NewRotation,
  { today }: Situation,
): Pick<Step, 'retire' | 'keep'> {
  const key = { ...studentRef(student), keyName: name, hash }
  if (retireAt > today) return { keep: [{ ...key, until: retireAt.toISOString() }] }
  return { retire: [{ kind: deleteOld ? 'delete' : 'disable', ...key }] }
}

/** The one key of a student that a new one can take the place of, or why there is none. */
function keyToReplace(
  id: string,
  { keysOf, beingReplaced, onlyLost, secretHere, today }: Situation,
): Key | string {
  const all = keysOf.get(id) ?? []
  const working = all.filter((key) => !key.disabled && !isExpired(key, today) && !beingReplaced.has(key.hash))
  const [key, ...more] = working
  if (all.length === 0) return 'has no key: class-keys provision makes one'
  if (!key) return 'has no key that works: it is disabled, or has expired'
  if (more.length > 0) return 'has more than one key that works: disable all but one through limits.csv first'
  if (onlyLost && secretHere.has(key.hash)) return 'the secret is in this ledger'
  return key
}

/** Who got a new key from the runs that are gone on with. */
function doneInRun(rotations: readonly Rotation[], goingOn: readonly Rotation[]): Set<string> {
  const runs = new Set(goingOn.map(({ plannedAt }) => plannedAt.getTime()))
  return new Set(
    rotations
      .filter(({ newHash, plannedAt }) => newHash !== null && runs.has(plannedAt.getTime()))
      .map(({ mqId }) => mqIdKey(mqId)),
  )
}

/** The journal's entries for what a plan begins anew; what it goes on with has them already. */
export function newRotations(plan: RotationPlan, input: RotationInput): NewRotation[] {
  const open = openRotations(input, new Map(input.keys.map((key) => [key.hash, key])))
  const begun = new Set([...open.values()].flat().map(({ oldHash }) => oldHash))
  const students = new Map(input.students.map((student) => [mqIdKey(student.mqId), student]))
  return plan.changes.flatMap((change) => {
    const student = students.get(mqIdKey(change.mqId))
    if (change.kind !== 'create' || change.replaces === null || begun.has(change.replaces) || !student)
      return []
    return [newRotation(student, { hash: change.replaces }, input)]
  })
}

/**
 * What a new key may spend in the place of an old one: the same, where the limit refills; what is left, where it
 * is for the key's lifetime. No limit stays no limit.
 */
export function remainingLimit({ limit, limitReset, limitRemaining, usage }: Key): Limit {
  if (limit === null || limitReset !== null) return limit
  return sumUsd([Math.max(0, limitRemaining ?? limit - usage)])
}

/**
 * The rotations that something is left to do for now, by MQ ID, the oldest first: those of an interrupted run,
 * those whose old key is due, and those whose new key somebody has deleted while the old one was kept.
 */
function openRotations(
  { rotations, today }: RotationInput,
  byHash: ReadonlyMap<string, Key>,
): Map<string, Rotation[]> {
  const open = new Map<string, Rotation[]>()
  for (const row of rotations) {
    const isKept = row.newHash !== null && row.retiredAt === null
    const isDue = isKept && (row.retireAt <= today || !byHash.has(row.newHash ?? ''))
    if (row.closedAt !== null && !isDue) continue
    const id = mqIdKey(row.mqId)
    open.set(id, [...(open.get(id) ?? []), row])
  }
  return open
}

function newRotation(
  { mqId }: Person,
  { hash: oldHash }: Pick<Key, 'hash'>,
  { today, keepOldDays, deleteOld }: RotationInput,
): NewRotation {
  return { mqId, oldHash, deleteOld, retireAt: new Date(today.getTime() + keepOldDays * DAY_MS) }
}

/** The keys of the class by MQ ID, the oldest first. */
function keysByStudent(
  { roster, everybody, heldBy }: RotationInput,
  keys: readonly Key[],
): Map<string, Key[]> {
  const theirs = new Map<string, Key[]>()
  const ofClass = keysOfClass(keys, roster, { students: everybody, heldBy })
  for (const { student, key } of ofClass.sort((a, b) => byAge(a.key, b.key)))
    theirs.set(mqIdKey(student.mqId), [...(theirs.get(mqIdKey(student.mqId)) ?? []), key])
  return theirs
}

function newKey(student: Person, old: Key, { guardrailOf, today }: RotationInput): CreateKey {
  return {
    kind: 'create',
    ...studentRef(student),
    keyName: keyName(student, today),
    limit: remainingLimit(old),
    limitReset: old.limitReset,
    expiresAt: old.expiresAt === null ? null : utcText(new Date(old.expiresAt)),
    guardrail: guardrailOf.get(old.hash) ?? null,
    replaces: old.hash,
  }
}
