import {
  type AssignGuardrail,
  type CreateKey,
  type DeleteKey,
  type DisableKey,
  type KeyRef,
  keyRef,
  type UpdateKey,
} from './changes.js'
import { keysOfClass } from './class-people.js'
import type { Settled } from './doubt.js'
import { utcText } from './expiry.js'
import { isExpired, type Key } from './key.js'
import { keyName, mqIdKey } from './key-name.js'
import { byAge } from './matching.js'
import { type Limit, sumUsd } from './money.js'
import { type NewRotation, newRotation, type Rotation, type RotationInput } from './rotation.js'
import { setRight } from './set-right.js'
import { isPlaceholder, type Person, studentRef } from './student.js'

/** An old key that stays in use beside its newer one; `until` is ISO 8601, UTC. */
export type KeptOldKey = KeyRef & { until: string }

/** What the steps of all students depend on. */
export interface Situation extends RotationInput {
  byHash: ReadonlyMap<string, Key>
  /** By MQ ID, the oldest first. */
  keysOf: ReadonlyMap<string, Key[]>
  /** Students with a creation of which nothing can be told for certain. */
  unclear: ReadonlySet<string>
  /** What interrupted runs left undone, by MQ ID. */
  unfinished: ReadonlyMap<string, Rotation[]>
  /** Of that, what this run resumes. */
  resumed: readonly Rotation[]
  /** Old keys that stay in use beside their new ones, by MQ ID. */
  keptOld: ReadonlyMap<string, Rotation[]>
  /** Who got a new key from the run that is resumed. */
  doneInRun: ReadonlySet<string>
}

/** Sorts what is known of the keys and of earlier runs by student. */
export function situationOf(input: RotationInput, there: readonly Key[], { leftAlone }: Settled): Situation {
  const byHash = new Map(there.map((key) => [key.hash, key]))
  const unfinished = groupByStudent(input.rotations.filter(({ closedAt }) => closedAt === null))
  const resumed =
    input.mode === 'due'
      ? []
      : input.students.flatMap((student) => unfinished.get(mqIdKey(student.mqId)) ?? [])
  const isKept = ({ closedAt, newHash, retiredAt }: Rotation) => {
    const newer = byHash.get(newHash ?? '')
    return closedAt !== null && retiredAt === null && newer !== undefined && !isExpired(newer, input.now)
  }
  return {
    ...input,
    byHash,
    keysOf: keysByStudent(input, there),
    unclear: new Set(leftAlone.map(({ mqId }) => mqIdKey(mqId))),
    unfinished,
    resumed,
    keptOld: groupByStudent(input.rotations.filter(isKept)),
    doneInRun: doneInRun(input.rotations, resumed),
  }
}

/** What is planned for one student. */
export interface Step {
  create?: CreateKey
  assign?: AssignGuardrail[]
  /** Brings the new key of an interrupted run to what was asked for. */
  update?: UpdateKey[]
  retire?: (DisableKey | DeleteKey)[]
  keep?: KeptOldKey[]
  skip?: string
  /** Old keys that are out of use already. */
  retired?: { mqId: string; hash: string }[]
  moot?: number[]
}

const DONE_ALREADY = 'done already by the run that was interrupted'
const LAST_KEY =
  'the newer key is disabled or has expired, and the old one is the last that works: name the student to get another one'

/** Plans what is to be done for one student, so that nobody is left without a key that works. */
export function stepFor(student: Person, situation: Situation): Step {
  return withoutLastKey(student, stepOf(student, situation), situation)
}

function stepOf(student: Person, situation: Situation): Step {
  const { unfinished, unclear, doneInRun, mode } = situation
  const id = mqIdKey(student.mqId)
  if (unclear.has(id)) return { skip: 'an earlier creation is in doubt' }
  const rows = unfinished.get(id) ?? []
  if (rows.length > 0 || mode === 'due') return resume(student, rows, situation)
  const kept = keptOldSteps(student, situation)
  if (doneInRun.has(id)) return { ...kept, skip: DONE_ALREADY }
  if (isPlaceholder(student.email))
    return { ...kept, skip: 'the address is a placeholder: find it out first' }
  const old = keyToReplace(id, situation)
  if (typeof old === 'string') return kept.retire?.length ? kept : { ...kept, skip: old }
  const step = oldKeyStep(student, old, newRotation(student, old, situation), situation)
  return merge({ create: newKey(student, old, situation) }, step, keptOldSteps(student, situation, true))
}

/**
 * What is left to do for the rotations of one student that were interrupted, and for old keys that are kept. There are
 * several where an old key was kept and its new one replaced before the old one was due; none of them makes a second
 * new key. Where only old keys are retired whose day has come, no new key is made at all.
 */
function resume(student: Person, rows: readonly Rotation[], situation: Situation): Step {
  const { byHash, now, mode } = situation
  let step: Step = {}
  // The newest first: where its key is replaced, what is made takes the place of the older ones too.
  for (const row of [...rows].reverse()) {
    const old = byHash.get(row.oldHash)
    const newer = byHash.get(row.newHash ?? '')
    // A new key that was disabled meanwhile is made anew for a student who is named, as any other.
    const isMade =
      step.create !== undefined || (newer && !isExpired(newer, now) && !(newer.disabled && mode === 'named'))
    if (!isMade && mode === 'due') continue
    const isOutOfUse = !old || isExpired(old, now) || (old.disabled && mode !== 'named')
    if (!isMade && isOutOfUse) {
      // Somebody has taken the old key away meanwhile: then there is nothing to replace.
      step = merge(step, { moot: [row.id], skip: 'the key that was to be replaced is out of use' })
      continue
    }
    if (!isMade && old) step = merge(step, { create: newKey(student, old, situation) })
    const assign = missingGuardrail(student, row, situation)
    const update = wrongNewKey(student, row, situation)
    step = merge(step, { assign, update }, oldKeyStep(student, old ?? { hash: row.oldHash }, row, situation))
  }
  step = merge(step, keptOldSteps(student, situation))
  if (step.create || step.retire?.length || mode === 'due') delete step.skip
  else if (!step.moot?.length) step.skip = DONE_ALREADY
  return step
}

/** The guardrail that the new key of an interrupted rotation has not got. */
function missingGuardrail(
  student: Person,
  { newHash }: Rotation,
  { byHash, unassigned }: Situation,
): AssignGuardrail[] {
  const key = byHash.get(newHash ?? '')
  const wish = key && unassigned.find(({ hash }) => hash === key.hash)
  if (!wish) return []
  const { hash, guardrail } = wish
  return [{ kind: 'assign-guardrail', ...studentRef(student), keyName: key.name, hash, guardrail }]
}

/** The change that sets the new key of an interrupted rotation right: the old one is not taken away for a wrong one. */
function wrongNewKey(student: Person, { newHash }: Rotation, { byHash, wrongTerms }: Situation): UpdateKey[] {
  const key = byHash.get(newHash ?? '')
  const terms = key && wrongTerms.find(({ hash }) => hash === key.hash)
  return (
    (terms && [setRight(keyRef({ student, key }), key, terms)].filter((change) => change !== undefined)) ?? []
  )
}

/**
 * What becomes of the old keys that stay in use beside their newer ones.
 * @param all retires those too whose day has not come: whoever asks for a new key without keeping the old one wants
 *   every old one out of use
 */
function keptOldSteps(student: Person, situation: Situation, all = false): Step {
  const { keptOld, byHash, keepOldDays, deleteOld, now } = situation
  const rows = keptOld.get(mqIdKey(student.mqId)) ?? []
  const steps = rows.map((row) =>
    oldKeyStep(
      student,
      byHash.get(row.oldHash) ?? { hash: row.oldHash },
      {
        ...row,
        deleteOld: row.deleteOld || deleteOld,
        retireAt: all && keepOldDays === 0 ? now : row.retireAt,
      },
      situation,
    ),
  )
  return merge(...steps)
}

/** What becomes of an old key: it is retired now, kept for some days, or out of use already. */
function oldKeyStep(
  student: Person,
  old: Key | { hash: string },
  { deleteOld, retireAt }: NewRotation,
  { now }: Situation,
): Step {
  const isGone = !('name' in old)
  if (isGone || (old.disabled && !deleteOld)) return { retired: [{ mqId: student.mqId, hash: old.hash }] }
  const key = { ...studentRef(student), keyName: old.name, hash: old.hash }
  if (retireAt > now) return { keep: [{ ...key, until: retireAt.toISOString() }] }
  return { retire: [{ kind: deleteOld ? 'delete' : 'disable', ...key }] }
}

/** Takes out of a step what would leave the student without a key that works. */
function withoutLastKey(student: Person, step: Step, { keysOf, now }: Situation): Step {
  const retired = new Set(step.retire?.map(({ hash }) => hash))
  const working = (keysOf.get(mqIdKey(student.mqId)) ?? []).filter(
    (key) => !key.disabled && !isExpired(key, now),
  )
  if (step.create || working.length === 0 || working.some(({ hash }) => !retired.has(hash))) return step
  const last = new Set(working.map(({ hash }) => hash))
  return { ...step, retire: step.retire?.filter(({ hash }) => !last.has(hash)), skip: LAST_KEY }
}

function merge(...steps: readonly Step[]): Step {
  const all = <Part extends 'assign' | 'update' | 'retire' | 'keep' | 'retired' | 'moot'>(part: Part) =>
    steps.flatMap((step) => (step[part] ?? []) as NonNullable<Step[Part]>[number][])
  const create = steps.find((step) => step.create)?.create
  const skip = steps.find((step) => step.skip)?.skip
  return {
    ...(create && { create }),
    ...(skip !== undefined && { skip }),
    assign: all('assign'),
    update: all('update'),
    retire: all('retire'),
    keep: all('keep'),
    retired: all('retired'),
    moot: all('moot'),
  }
}

/**
 * The one key of a student that a new one can take the place of, or why there is none. A key that is disabled is
 * replaced only where its student is named: the instructor has disabled it, and may now want another one instead.
 */
function keyToReplace(id: string, { keysOf, keptOld, mode, secretHere, now }: Situation): Key | string {
  const all = keysOf.get(id) ?? []
  const kept = new Set(keptOld.get(id)?.map(({ oldHash }) => oldHash))
  const valid = all.filter((key) => !isExpired(key, now) && !kept.has(key.hash))
  const working = valid.filter((key) => !key.disabled)
  const key = working[0] ?? (mode === 'named' ? valid.at(-1) : undefined)
  if (all.length === 0) return 'there is no key to replace; class-keys provision makes one'
  if (working.length > 1)
    return 'there is more than one key that works; disable all but one through limits.csv first'
  if (!key) {
    return valid.length > 0
      ? 'the key is disabled: name the student to replace it all the same'
      : 'the key has expired: class-keys provision makes a new one'
  }
  if (mode === 'lost' && secretHere.has(key.hash)) return 'the secret is in this ledger'
  return key
}

/** Who got a new key from the runs that are resumed. */
function doneInRun(rotations: readonly Rotation[], resumed: readonly Rotation[]): Set<string> {
  const runs = new Set(resumed.map(({ plannedAt }) => plannedAt.getTime()))
  return new Set(
    rotations
      .filter(({ newHash, plannedAt }) => newHash !== null && runs.has(plannedAt.getTime()))
      .map(({ mqId }) => mqIdKey(mqId)),
  )
}

/**
 * What a new key may spend in place of an old one: the same, where the limit refills; what is left, where it is for
 * the key's lifetime. No limit stays no limit.
 */
export function remainingLimit({ limit, limitReset, limitRemaining, usage }: Key): Limit {
  if (limit === null || limitReset !== null) return limit
  return sumUsd([Math.max(0, limitRemaining ?? limit - usage)])
}

function groupByStudent(rotations: readonly Rotation[]): Map<string, Rotation[]> {
  const groups = new Map<string, Rotation[]>()
  for (const row of rotations) {
    const id = mqIdKey(row.mqId)
    groups.set(id, [...(groups.get(id) ?? []), row])
  }
  return groups
}

/** The keys of the class by MQ ID, the oldest first. */
function keysByStudent({ roster, known }: RotationInput, keys: readonly Key[]): Map<string, Key[]> {
  const theirs = new Map<string, Key[]>()
  for (const { student, key } of keysOfClass(keys, roster, known)) {
    const id = mqIdKey(student.mqId)
    theirs.set(id, [...(theirs.get(id) ?? []), key])
  }
  for (const all of theirs.values()) all.sort(byAge)
  return theirs
}

function newKey(student: Person, old: Key, { guardrailOf, now, expiresAt }: RotationInput): CreateKey {
  const sameAsOld = old.expiresAt === null ? null : utcText(new Date(old.expiresAt))
  return {
    kind: 'create',
    ...studentRef(student),
    keyName: keyName(student, now),
    limit: remainingLimit(old),
    limitReset: old.limitReset,
    expiresAt: expiresAt ?? sameAsOld,
    guardrail: guardrailOf.get(old.hash) ?? null,
    replaces: old.hash,
  }
}
