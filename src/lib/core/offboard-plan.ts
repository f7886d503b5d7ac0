import { type DeleteKey, type DeleteLostKey, type DisableKey, keyRef } from './changes.js'
import { everybody, type KnownClass } from './class-people.js'
import type { Creation } from './creation.js'
import { type Settled, settleDoubt } from './doubt.js'
import type { Key } from './key.js'
import { mqIdKey, mqIdOfKeyName } from './key-name.js'
import { type Match, matchKeys } from './matching.js'
import { assess, type Safety } from './safety.js'
import { type SecondKey, secondKeys } from './second-keys.js'
import { byEmail, type Person, studentRef } from './student.js'

/** The changes that take keys out of use. Data: it can be shown, stored and applied. */
export interface OffboardPlan extends Settled {
  version: 1
  command: 'offboard'
  /** Whether the whole class is meant, and not only those who have left. */
  endOfTerm: boolean
  /** Lost keys first, then keys to be disabled, then keys to be deleted, each by address. */
  changes: (DeleteLostKey | DisableKey | DeleteKey)[]
  /** How many of the keys that are taken out of use were made elsewhere: another class may be using them. */
  madeElsewhere: number
  /** How many of the keys in question are disabled already and stay so. */
  disabledAlready: number
  /** Students of the roster without a key who seem to be somebody who has left: their key would be disabled. */
  secondKeys: SecondKey[]
  safety: Safety
}

/** What a plan of offboarding is made from. */
export interface OffboardInput {
  roster: readonly Person[]
  /** No key is ever touched that the ledger does not know. */
  known: KnownClass
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Journal entries that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** Whether the whole class is meant, and not only those who have left. */
  endOfTerm: boolean
  /** Whether keys that are disabled already are deleted. */
  deleteDisabled: boolean
  /** Hashes of the keys that a run has disabled which did not come to its end: the next one is to do no more than that. */
  unfinished: ReadonlySet<string>
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange: number
  /** Tells which keys have expired. */
  now: Date
}

/** Plans to take keys out of use. */
export function planOffboard(input: OffboardInput): OffboardPlan {
  const { roster, known, endOfTerm, deleteDisabled, unfinished, secretHere, maxChange, now } = input
  const { lost, settled, there } = settleDoubt(input)
  const ofLedger = keysOfLedger(input)
  const here = new Set(roster.map(({ mqId }) => mqIdKey(mqId)))
  const isThere = new Set(there.map(({ hash }) => hash))
  const meant = ofLedger.filter((match) => isThere.has(match.key.hash) && (endOfTerm || hasLeft(match, here)))
  const disables = meant.filter(({ key }) => !key.disabled)
  const { keyless } = matchKeys(there, roster, known.heldBy, now)
  const seconds = endOfTerm ? [] : secondKeys(keyless.map(studentRef), roster, { ...known, keys: there, now })
  const disabled = meant.filter(({ key }) => key.disabled)
  const deletes = deleteDisabled ? disabled.filter(({ key }) => !unfinished.has(key.hash)) : []
  const changes = [
    ...lost,
    ...disables.map((match) => ({ kind: 'disable' as const, ...keyRef(match) })),
    ...deletes.map((match) => ({ kind: 'delete' as const, ...keyRef(match) })),
  ]
  return {
    version: 1,
    command: 'offboard',
    endOfTerm,
    changes,
    madeElsewhere: [...disables, ...deletes].filter(({ key }) => !secretHere.has(key.hash)).length,
    disabledAlready: disabled.length - deletes.length,
    secondKeys: seconds,
    ...settled,
    safety: assess(
      changes,
      ofLedger.map(({ key }) => key),
      { maxChange },
    ),
  }
}

/** The keys that the ledger knows, by address: one that it has never seen may be another class's. */
export function keysOfLedger({
  keys,
  roster,
  known,
}: Pick<OffboardInput, 'keys' | 'roster' | 'known'>): Match[] {
  const people = new Map(everybody(roster, known.students).map((person) => [mqIdKey(person.mqId), person]))
  return keys
    .flatMap((key) => {
      const student = people.get(mqIdKey(known.heldBy.get(key.hash) ?? ''))
      return student ? [{ student, key }] : []
    })
    .sort((a, b) => byEmail(a.student, b.student))
}

/** Whether a key is of somebody who is not on the roster, by what the ledger knows and by its name as well. */
function hasLeft({ student, key }: Match, here: ReadonlySet<string>): boolean {
  return !here.has(mqIdKey(student.mqId)) && !here.has(mqIdKey(mqIdOfKeyName(key.name) ?? ''))
}
