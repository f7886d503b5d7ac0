import { ClassKeysError } from './errors.js'
import type { StudentRef } from './student.js'

/** What became of one student in a run that changes OpenRouter. */
export type OutcomeKind =
  /** A key was made, and its secret is in the ledger. */
  | 'created'
  /** The student had a key before the run. */
  | 'already had one'
  /** A key whose secret had been lost was deleted, and a new one made. */
  | 'healed'
  /** The key is as limits.csv asks, or has got the terms or the guardrail that it was made for. */
  | 'updated'
  /** The student is back, and the key is enabled again. */
  | 'enabled'
  /** A new key was made, and the old one is out of use. */
  | 'rotated'
  /** The key is out of use, and could be enabled again. */
  | 'disabled'
  /** The key is gone for good. */
  | 'deleted'
  /** OpenRouter refused, or did something else than was asked. */
  | 'failed'
  /** No answer came: the same command, run again, settles it. */
  | 'in doubt'
  /** The run ended before it came to this student. */
  | 'not tried'

/** One student's line in the summary of a run. */
export interface StudentOutcome extends StudentRef {
  outcome: OutcomeKind
  /** Why, where it did not go well. */
  reason?: string
  keyName?: string
  hash?: string
}

/** Why a run ended before its time: an error that would be everybody's, or `interrupted` by a signal. */
export interface Stopped {
  code: string
  message: string
}

/** Whether an outcome leaves something to do. */
export function isUnfinished(outcome: StudentOutcome): boolean {
  return outcome.outcome === 'failed' || outcome.outcome === 'in doubt' || outcome.outcome === 'not tried'
}

/** How many students there are of each kind. */
export function countOutcomes(outcomes: readonly StudentOutcome[]): Partial<Record<OutcomeKind, number>> {
  const counts: Partial<Record<OutcomeKind, number>> = {}
  for (const { outcome } of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

/** Why a run ended before its time, as results tell it. */
export function stoppedOf(stoppedBy: Error | undefined): { stopped?: Stopped } {
  if (!stoppedBy) return {}
  return {
    stopped: {
      code: stoppedBy instanceof ClassKeysError ? stoppedBy.code : 'unexpected',
      message: stoppedBy.message,
    },
  }
}
