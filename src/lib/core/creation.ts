import type { Limit, LimitReset } from './money.js'
import type { Person } from './student.js'

/**
 * Where a creation stands in the journal:
 * `open`: asked for, and no answer committed: in doubt unless its run is still at work;
 * `undoing`: its lost key was found, and its deletion is under way;
 * `done`: the key and its secret are in the ledger;
 * `refused`: OpenRouter said no, nothing was made;
 * `absent`: the listing did not show a key; one may still turn up late;
 * `undone`: the lost key was deleted.
 */
export type CreationState = 'open' | 'undoing' | 'done' | 'refused' | 'absent' | 'undone'

/** A guardrail of OpenRouter's: what restricts the models of a key. */
export interface GuardrailRef {
  id: string
  name: string
}

/** What is asked of OpenRouter for one student's key. */
export interface KeyRequest {
  student: Person
  keyName: string
  limit: Limit
  limitReset: LimitReset
  /** UTC with seconds; null is never. */
  expiresAt: string | null
  /** Assigned once the key is made; null for none. */
  guardrail: GuardrailRef | null
  /** The hash of the key that this one is made in place of; null for a student who has none. */
  replaces: string | null
}

/** One entry of the journal of creations: written before the request is sent. */
export interface Creation extends Omit<KeyRequest, 'guardrail'> {
  id: number
  state: CreationState
  /** When the request was about to be sent, by this machine's clock. */
  intendedAt: Date
  /** The key that came of it, or that is being deleted; null as long as none is known. */
  keyHash: string | null
}

/** A key that was made with another limit or reset period than was asked for. */
export interface WrongTerms {
  hash: string
  /** What was asked for, US dollars; null is unlimited. Absent where the limit came out right, or was changed since. */
  limit?: Limit
  /** What was asked for. Absent where the period came out right, or was changed since. */
  limitReset?: LimitReset
}
