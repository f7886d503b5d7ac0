import type { GuardrailRef, KeyRequest } from './creation.js'
import type { Key } from './key.js'
import type { Limit, LimitReset } from './money.js'
import { type Person, type StudentRef, studentRef } from './student.js'

/** A key of a student, as plans and results name it. */
export interface KeyRef extends StudentRef {
  keyName: string
  hash: string
}

/** Makes a student's key. */
export interface CreateKey extends StudentRef {
  kind: 'create'
  keyName: string
  /** US dollars; null is unlimited. */
  limit: Limit
  limitReset: LimitReset
  /** UTC with seconds; null is never. */
  expiresAt: string | null
  /** The guardrail that it is to have; null for none. */
  guardrail: GuardrailRef | null
  /** The hash of the key in whose place it is made; null for a student who has none. */
  replaces: string | null
}

/** Deletes a key that an earlier creation made and whose secret was lost with the answer. */
export interface DeleteLostKey extends StudentRef {
  kind: 'delete-lost'
  keyName: string
  hash: string
  /** The entry in the journal of creations. */
  creationId: number
}

/** Brings one key, in one request, to what limits.csv asks for, or to the terms that it was made for. */
export interface UpdateKey extends StudentRef {
  kind: 'update'
  keyName: string
  hash: string
  /** US dollars; null is unlimited. Absent where the limit stays. */
  limit?: { from: Limit; to: Limit }
  /** Absent where the key stays as it is. */
  disabled?: { from: boolean; to: boolean }
  /** Null never refills. Absent where the period stays. */
  limitReset?: { from: LimitReset; to: LimitReset }
  /** How often the limit refills once that is done: a limit of $5 a week is not $5. */
  refills: LimitReset
}

/** Enables the key of a student who was offboarded and is back. */
export interface EnableKey extends KeyRef {
  kind: 'enable'
}

/** Disables a key: its student has left, or has a newer one. */
export interface DisableKey extends KeyRef {
  kind: 'disable'
}

/** Deletes a key for good: its student has left, or has a newer one. */
export interface DeleteKey extends KeyRef {
  kind: 'delete'
}

/** Gives a key the guardrail that it was made for, and that did not get through to it then. */
export interface AssignGuardrail extends KeyRef {
  kind: 'assign-guardrail'
  guardrail: GuardrailRef
}

/** A key that was made for a guardrail, and that OpenRouter has not confirmed to have it. */
export interface UnassignedKey {
  hash: string
  guardrail: GuardrailRef
}

/** Whatever a plan may hold. */
export type PlannedChange =
  | CreateKey
  | DeleteLostKey
  | UpdateKey
  | EnableKey
  | DisableKey
  | DeleteKey
  | AssignGuardrail

/** A key and whose it is, as plans name them. */
export function keyRef({ student, key }: { student: Person; key: Pick<Key, 'name' | 'hash'> }): KeyRef {
  return { ...studentRef(student), keyName: key.name, hash: key.hash }
}

/** The same as a change of `update`: enabling and disabling is a request like any other. */
export function asUpdate({ kind, ...key }: EnableKey | DisableKey): UpdateKey {
  const disabled = { from: kind === 'enable', to: kind === 'disable' }
  return { kind: 'update', ...key, disabled, refills: null }
}

/** The request that a planned creation stands for. */
export function keyRequest(change: CreateKey, people: ReadonlyMap<string, Person>): KeyRequest {
  const student = people.get(change.mqId)
  if (!student) throw new Error(`the plan names ${change.mqId}, who is not on the roster`)
  const { keyName, limit, limitReset, expiresAt, guardrail, replaces } = change
  return { student, keyName, limit, limitReset, expiresAt, guardrail, replaces }
}
