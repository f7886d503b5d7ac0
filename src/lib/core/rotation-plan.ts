import type {
  AssignGuardrail,
  CreateKey,
  DeleteKey,
  DeleteLostKey,
  DisableKey,
  UpdateKey,
} from './changes.js'
import { type Settled, settleDoubt } from './doubt.js'
import { mqIdKey } from './key-name.js'
import { type NewRotation, newRotation, type RotationInput } from './rotation.js'
import { type KeptOldKey, situationOf, stepFor } from './rotation-steps.js'
import { assess, type Safety } from './safety.js'
import { type StudentRef, studentRef } from './student.js'

/** The changes that give students a new key each in place of the one they have. Data: it can be shown, stored and applied. */
export interface RotationPlan extends Settled {
  version: 1
  command: 'rotate'
  /**
   * Lost keys first, then new keys, those that came out otherwise than asked for, and guardrails, then the old keys: each
   * is retired only when its new one is made, and is as it should be.
   */
  changes: (DeleteLostKey | CreateKey | UpdateKey | AssignGuardrail | DisableKey | DeleteKey)[]
  /** Old keys that stay in use until a later run. */
  kept: KeptOldKey[]
  /** Who gets no new key, and why. */
  skipped: (StudentRef & { why: string })[]
  /** Who gets a new key without being on the roster. */
  notOnRoster: StudentRef[]
  /** What limits.csv asks for keys that are replaced and has not been applied: it is taken out of the file. */
  overtaken: UpdateKey[]
  /** When the interrupted run was begun that this one resumes; null for a new one. ISO 8601, UTC. */
  resumesSince: string | null
  /** Old keys that are out of use already: nothing is left to do but to write that down. */
  retired: { mqId: string; hash: string }[]
  /** Rotations of the journal that have become pointless, by their numbers: there is no key to replace any more. */
  moot: number[]
  safety: Safety
}

/**
 * Plans new keys in place of old ones. Where an earlier run was interrupted, it is resumed: whoever got a new key from
 * it already does not get another one.
 */
export function planRotation(input: RotationInput): RotationPlan {
  const { lost, settled, there } = settleDoubt(input)
  const situation = situationOf(input, there, settled)
  const steps = input.students.map((student) => ({ student, ...stepFor(student, situation) }))
  const changes = [
    ...lost,
    ...steps.flatMap(({ create }) => create ?? []),
    ...steps.flatMap(({ update }) => update ?? []),
    ...steps.flatMap(({ assign }) => assign ?? []),
    ...steps.flatMap(({ retire }) => retire ?? []),
  ]
  const fresh = steps.filter(({ create }) => create)
  const here = new Set(input.roster.map(({ mqId }) => mqIdKey(mqId)))
  const replaced = new Set(fresh.map(({ create }) => create?.replaces))
  return {
    version: 1,
    command: 'rotate',
    changes,
    kept: steps.flatMap(({ keep }) => keep ?? []),
    skipped: steps.flatMap(({ student, skip }) => (skip ? [{ ...studentRef(student), why: skip }] : [])),
    notOnRoster: fresh
      .filter(({ student }) => !here.has(mqIdKey(student.mqId)))
      .map(({ student }) => studentRef(student)),
    overtaken: input.asked.filter(({ hash }) => replaced.has(hash)),
    resumesSince: situation.resumed[0]?.plannedAt.toISOString() ?? null,
    ...settled,
    retired: steps.flatMap(({ retired }) => retired ?? []),
    moot: steps.flatMap(({ moot }) => moot ?? []),
    // What an earlier run asked for already is no change of anybody's mind.
    safety: assess(
      changes.filter(({ kind }) => kind !== 'update'),
      [...situation.keysOf.values()].flat(),
      { maxChange: input.maxChange },
    ),
  }
}

/**
 * The journal's entries for what a plan begins anew; what it resumes has them already. An older key that was kept and
 * goes with the one that is replaced is a part of this run from now on: where it cannot be retired, the next run has
 * that to do, and makes no other new key.
 */
export function newRotations({ changes }: RotationPlan, input: RotationInput): NewRotation[] {
  const { rotations, now } = input
  const begun = new Set(rotations.flatMap((row) => (row.closedAt === null ? [row.oldHash] : [])))
  const creates = changes.filter((change) => change.kind === 'create')
  const replaced = new Set(creates.map(({ replaces }) => replaces))
  const renewed = new Set(creates.map(({ mqId }) => mqId))
  const kept = new Set(rotations.map(({ oldHash }) => oldHash))
  return changes.flatMap((change) => {
    if (change.kind === 'create' && change.replaces !== null && !begun.has(change.replaces))
      return [newRotation(change, { hash: change.replaces }, input)]
    if (change.kind !== 'disable' && change.kind !== 'delete') return []
    const { mqId, hash, kind } = change
    const goesWithIt = kept.has(hash) && !begun.has(hash) && !replaced.has(hash) && renewed.has(mqId)
    return goesWithIt ? [{ mqId, oldHash: hash, deleteOld: kind === 'delete', retireAt: now }] : []
  })
}
