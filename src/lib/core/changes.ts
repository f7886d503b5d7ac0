import type { GuardrailRef } from './creation.js'
import type { CreateKey, DeleteLostKey, StudentRef } from './provision-plan.js'
import type { UpdateKey } from './update-plan.js'

/** A key of a student, as plans and results name it. */
export interface KeyRef extends StudentRef {
  keyName: string
  hash: string
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

/** Whatever a plan may hold. */
export type PlannedChange =
  | CreateKey
  | DeleteLostKey
  | UpdateKey
  | EnableKey
  | DisableKey
  | DeleteKey
  | AssignGuardrail

/** The same as a change of `update`: enabling and disabling is a request like any other. */
export function asUpdate({ kind, ...key }: EnableKey | DisableKey): UpdateKey {
  return { kind: 'update', ...key, disabled: { from: kind === 'enable', to: kind === 'disable' } }
}
