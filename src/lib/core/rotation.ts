import type { UnassignedKey, UpdateKey } from './changes.js'
import type { KnownClass } from './class-people.js'
import type { Creation, GuardrailRef, WrongTerms } from './creation.js'
import type { Key } from './key.js'
import type { Person } from './student.js'

/** What a run sets out to do for one key. */
export interface NewRotation {
  mqId: string
  oldHash: string
  /** Whether the old key is deleted in the end, instead of disabled. */
  deleteOld: boolean
  /** When the old key is to be retired; it is not before the new one is made. */
  retireAt: Date
}

/**
 * One entry of the journal of rotations. It is unfinished until it is closed. Where the old key was to be kept for some
 * days, it is closed while that key is still in use.
 */
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

/** What a plan of rotations is made from. */
export interface RotationInput {
  /** Whom the run is about, in the order of the plan. */
  students: readonly Person[]
  /**
   * Who of them gets a new key: those `named` one by one, `all`, those whose secret is `lost`, or nobody where only
   * old keys are retired whose day has come (`due`).
   */
  mode: 'named' | 'all' | 'lost' | 'due'
  /** The roster, or everybody the ledger knows where there is none. */
  roster: readonly Person[]
  known: KnownClass
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Journal entries of creations that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** The rotations that something is left to do for, now or later, and those of the same runs that are done. */
  rotations: readonly Rotation[]
  /** Which key has which guardrail. */
  guardrailOf: ReadonlyMap<string, GuardrailRef>
  /** Keys of interrupted runs that have not got theirs. */
  unassigned: readonly UnassignedKey[]
  /** Keys of interrupted runs that may spend something else than was asked for. */
  wrongTerms: readonly WrongTerms[]
  /** What limits.csv asks for and has not been applied. */
  asked: readonly UpdateKey[]
  deleteOld: boolean
  /** For how many days the old key stays in use. */
  keepOldDays: number
  /** When the new keys expire, UTC with seconds; undefined is when the old ones would have. */
  expiresAt: string | undefined
  /** Percent of the class's keys that may be disabled or deleted. */
  maxChange: number
  /** Now: its day goes into the names of new keys (local time), and keys that have expired by it count as none. */
  now: Date
}

const DAY_MS = 86_400_000

/** The journal's entry for a key that is to be replaced. */
export function newRotation(
  { mqId }: Pick<Person, 'mqId'>,
  { hash: oldHash }: Pick<Key, 'hash'>,
  { now, keepOldDays, deleteOld }: RotationInput,
): NewRotation {
  return { mqId, oldHash, deleteOld, retireAt: new Date(now.getTime() + keepOldDays * DAY_MS) }
}
