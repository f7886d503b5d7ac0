import type { DeleteKey, DisableKey } from './changes.js'
import type { Creation } from './creation.js'
import { settle } from './doubt.js'
import type { Key } from './key.js'
import { mqIdKey, mqIdOfKeyName } from './key-name.js'
import type { Match } from './matching.js'
import {
  type DeleteLostKey,
  deleteLostKey,
  type LeftAlone,
  leftAloneOf,
  studentRef,
} from './provision-plan.js'
import { assess, type Safety } from './safety.js'
import { byEmail, type Person } from './student.js'

/** The changes that take keys out of use: of those who have left, or of the whole class. Data: it can be shown, stored and applied. */
export interface OffboardPlan {
  version: 1
  command: 'offboard'
  /** Whether the whole class is meant, and not only those who have left. */
  endOfTerm: boolean
  /** Lost keys first, then keys to be disabled, then keys to be deleted, each by address. */
  changes: (DeleteLostKey | DisableKey | DeleteKey)[]
  /** How many of the keys in question are disabled already and stay so. */
  disabledAlready: number
  leftAlone: LeftAlone[]
  /** Journal entries that the listing shows to have made nothing. */
  absent: number[]
  /** Journal entries whose lost key is gone: an earlier run deleted it and could not write that down. */
  undone: number[]
  safety: Safety
}

/** What a plan of offboarding is made from. */
export interface OffboardInput {
  /** The roster. */
  roster: readonly Person[]
  /** Everybody of the class, those who have left too. */
  everybody: readonly Person[]
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Whose the keys are that the ledger knows, MQ IDs by hash: no other key is ever touched. */
  heldBy: ReadonlyMap<string, string>
  /** Journal entries of creations that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** Whether the whole class is meant, and not only those who have left. */
  endOfTerm: boolean
  /** Whether keys that are disabled already are deleted. */
  deleteDisabled: boolean
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange?: number
}

/** Plans to take keys out of use. */
export function planOffboard(input: OffboardInput): OffboardPlan {
  const doubt = settle(input.creations, input.keys, input.secretHere)
  const lost = doubt.lost.map(deleteLostKey)
  const gone = new Set(lost.map(({ hash }) => hash))
  const ofClass = classKeys(input)
  const here = new Set(input.roster.map(({ mqId }) => mqIdKey(mqId)))
  const meant = ofClass.filter((of) => !gone.has(of.key.hash) && (input.endOfTerm || hasLeft(of, here)))
  const disables = meant.filter(({ key }) => !key.disabled).map((of) => change('disable', of))
  const disabled = meant.filter(({ key }) => key.disabled)
  const deletes = input.deleteDisabled ? disabled.map((of) => change('delete', of)) : []
  const changes = [...lost, ...disables, ...deletes]
  return {
    version: 1,
    command: 'offboard',
    endOfTerm: input.endOfTerm,
    changes,
    disabledAlready: disabled.length - deletes.length,
    leftAlone: doubt.unclear.map(leftAloneOf),
    absent: doubt.absent.map(({ id }) => id),
    undone: doubt.undone.map(({ id }) => id),
    safety: assess(
      changes,
      ofClass.map(({ key }) => key),
      input.maxChange,
    ),
  }
}

/** The keys of the class that the ledger knows, by address: a key that it has never seen may be another class's. */
export function classKeys({
  keys,
  heldBy,
  everybody,
}: Pick<OffboardInput, 'keys' | 'heldBy' | 'everybody'>): Match[] {
  const people = new Map(everybody.map((person) => [mqIdKey(person.mqId), person]))
  return keys
    .flatMap((key) => {
      const holder = heldBy.get(key.hash)
      const student = holder === undefined ? undefined : people.get(mqIdKey(holder))
      return student ? [{ student, key }] : []
    })
    .sort((a, b) => byEmail(a.student, b.student))
}

/** Whether a key is of somebody who is not on the roster, by what the ledger knows and by its name as well. */
function hasLeft({ student, key }: Match, here: ReadonlySet<string>): boolean {
  return !here.has(mqIdKey(student.mqId)) && !here.has(mqIdKey(mqIdOfKeyName(key.name) ?? ''))
}

function change<Kind extends 'disable' | 'delete'>(kind: Kind, { student, key }: Match) {
  return { kind, ...studentRef(student), keyName: key.name, hash: key.hash }
}
