import {
  type AssignGuardrail,
  type CreateKey,
  type DeleteLostKey,
  type EnableKey,
  type KeyRef,
  keyRef,
  type UnassignedKey,
  type UpdateKey,
} from './changes.js'
import { type KnownClass, keysOfClass } from './class-people.js'
import type { Creation, GuardrailRef, WrongTerms } from './creation.js'
import { type Settled, settleDoubt } from './doubt.js'
import { isExpired, type Key } from './key.js'
import { keyName, mqIdKey } from './key-name.js'
import { isRenamed, type Match, type Matching, matchKeys } from './matching.js'
import type { Usd } from './money.js'
import { assess, type Safety } from './safety.js'
import { isLikely, type SecondKey, secondKeys } from './second-keys.js'
import { setRight } from './set-right.js'
import { type Spending, spendingOf } from './spending.js'
import { type Person, type Student, type StudentRef, studentRef } from './student.js'

/** A student who has a key already. */
export interface KeyHolder extends StudentRef {
  hashes: string[]
  /** Whether this ledger holds the secret of one of them. */
  secretHere: boolean
  /** Whether none of them works: the instructor has disabled it. */
  disabled: boolean
}

/** The changes that give each student of the roster one key. Data: it can be shown, stored and applied. */
export interface ProvisionPlan extends Settled {
  version: 1
  command: 'provision'
  /**
   * Deletions first, then keys of students who are back, keys that came out otherwise than asked for, creations in the
   * order of the roster, guardrails.
   */
  changes: (DeleteLostKey | EnableKey | UpdateKey | CreateKey | AssignGuardrail)[]
  keyHolders: KeyHolder[]
  /** Keys that have been given another name in OpenRouter; the hash tells whose they are. */
  renamed: KeyRef[]
  /** Students who get a key, and seem to be somebody who has one under another MQ ID. */
  secondKeys: SecondKey[]
  /** The guardrail that other keys of the class have and the new ones will not; null for none. */
  guardrailLeftOut: GuardrailRef | null
  /** Students whose address is a placeholder: nothing is made for them. */
  placeholders: StudentRef[]
  /** What the enabled keys of the class may then spend, those of students who have left included. */
  spending: Spending
  /** What the account has left, in US dollars; null where OpenRouter did not say. */
  balance: Usd | null
  safety: Safety
}

/** What a plan is made from. */
export interface ProvisionInput {
  /** The roster without placeholder addresses. */
  students: readonly Student[]
  placeholders: readonly Student[]
  /** What the ledger knew of the class before it was told of the roster. */
  known: KnownClass
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Journal entries that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** Overrides every budget, in US dollars. */
  limit: Usd | undefined
  /** Overrides every expiry, UTC with seconds. */
  expiresAt: string | undefined
  /** What every new key is to have, and every key that is still waiting for its own; null for none. */
  guardrail: GuardrailRef | null
  /** The guardrails that keys were made with, by hash. */
  guardrails: ReadonlyMap<string, GuardrailRef>
  /** Keys of earlier runs that have not got the guardrail that they were made for. */
  unassigned: readonly UnassignedKey[]
  /** Keys of earlier runs that may spend something else than was asked for. */
  wrongTerms: readonly WrongTerms[]
  /** Hashes of the keys that `offboard` has disabled. */
  offboarded: ReadonlySet<string>
  /** Hashes of the keys that limits.csv asks to be disabled. */
  heldDisabled: ReadonlySet<string>
  balance: Usd | null
  /** Now: its day goes into the names of new keys (local time), and keys that have expired by it count as none. */
  now: Date
}

/** Plans the keys of a class: settles what is in doubt, then one key for each student who has none. */
export function planProvision(input: ProvisionInput): ProvisionPlan {
  const { students, placeholders, known, now } = input
  const { lost, settled, there } = settleDoubt(input)
  const matching = matchKeys(there, students, known.heldBy, now)
  const inDoubt = new Set(settled.leftAlone.map((left) => mqIdKey(left.mqId)))
  const enables = keysToEnable(matching, input)
  const creates = matching.keyless
    .filter((student) => !inDoubt.has(mqIdKey(student.mqId)))
    .map((student) => createKey(student, input))
  const updates = termsToSetRight(matching, input)
  const changes: ProvisionPlan['changes'] = [
    ...lost,
    ...enables,
    ...updates,
    ...creates,
    ...missingGuardrails(matching, input),
  ]
  const roster = [...students, ...placeholders]
  const seconds = secondKeys(creates, roster, { ...known, keys: there, now })
  const enabling = new Set(enables.map((change) => change.hash))
  const ofClass = keysOfClass(there, roster, known)
  const limitOf = new Map(updates.flatMap(({ hash, limit }) => (limit ? [[hash, limit.to] as const] : [])))
  const spending = ofClass
    .map(({ key }) => ({
      ...key,
      limit: limitOf.has(key.hash) ? (limitOf.get(key.hash) ?? null) : key.limit,
    }))
    .filter((key) => (!key.disabled || enabling.has(key.hash)) && !isExpired(key, now))
  return {
    version: 1,
    command: 'provision',
    changes,
    keyHolders: keyHolders(matching, input).filter(
      ({ hashes }) => !hashes.some((hash) => enabling.has(hash)),
    ),
    renamed: matching.matched.filter(isRenamed).map(keyRef),
    secondKeys: seconds,
    ...settled,
    guardrailLeftOut: creates.some(({ guardrail }) => guardrail === null)
      ? (matching.matched.flatMap(({ key }) => input.guardrails.get(key.hash) ?? []).at(-1) ?? null)
      : null,
    placeholders: placeholders.map(studentRef),
    spending: spendingOf([...spending, ...creates]),
    balance: input.balance,
    // What an earlier run asked for already is no change of anybody's mind.
    safety: assess(
      changes.filter(({ kind }) => kind !== 'update'),
      ofClass.map(({ key }) => key),
      { secondKeys: seconds.filter(isLikely).length },
    ),
  }
}

function createKey(student: Student, input: ProvisionInput): CreateKey {
  return {
    kind: 'create',
    ...studentRef(student),
    keyName: keyName(student, input.now),
    // A missing budget is refused before anything is applied: see rosterGaps.
    limit: input.limit ?? student.budget ?? 0,
    limitReset: student.limitReset,
    expiresAt: input.expiresAt ?? student.expiresAt ?? null,
    guardrail: input.guardrail,
    replaces: null,
  }
}

/**
 * The keys to be enabled again: of each student who was offboarded and is back, and has no other key that works,
 * the newest one. A key that the instructor has disabled stays so.
 */
function keysToEnable({ matched }: Matching, { offboarded, heldDisabled, now }: ProvisionInput): EnableKey[] {
  if (offboarded.size === 0) return []
  const theirs = new Map<Person, Match[]>()
  for (const match of matched) {
    if (!isExpired(match.key, now)) theirs.set(match.student, [...(theirs.get(match.student) ?? []), match])
  }
  return [...theirs.values()].flatMap((all) => {
    if (all.some(({ key }) => !key.disabled)) return []
    const newest = all.filter(({ key }) => offboarded.has(key.hash) && !heldDisabled.has(key.hash)).at(-1)
    return newest ? [{ kind: 'enable' as const, ...keyRef(newest) }] : []
  })
}

/** The keys that were made otherwise than was asked for, by an answer that nobody could act on any more. */
function termsToSetRight({ matched }: Matching, { wrongTerms, now }: ProvisionInput): UpdateKey[] {
  if (wrongTerms.length === 0) return []
  const asked = new Map(wrongTerms.map((terms) => [terms.hash, terms]))
  return matched.flatMap((match) => {
    const terms = isExpired(match.key, now) ? undefined : asked.get(match.key.hash)
    return (terms && setRight(keyRef(match), match.key, terms)) ?? []
  })
}

/** The keys of the class that were made for a guardrail and have not got it. */
function missingGuardrails(
  { matched }: Matching,
  { unassigned, guardrail: instead, now }: ProvisionInput,
): AssignGuardrail[] {
  const guardrailOf = new Map(unassigned.map(({ hash, guardrail }) => [hash, guardrail]))
  return matched.flatMap((match) => {
    const meant = isExpired(match.key, now) ? undefined : guardrailOf.get(match.key.hash)
    // What they were made for may be gone by now: whoever names another one means them too.
    return meant ? [{ kind: 'assign-guardrail' as const, ...keyRef(match), guardrail: instead ?? meant }] : []
  })
}

function keyHolders({ matched, keyless }: Matching, { secretHere, now }: ProvisionInput): KeyHolder[] {
  const without = new Set(keyless)
  const holders = new Map<Person, KeyHolder>()
  for (const { student, key } of matched) {
    if (without.has(student) || isExpired(key, now)) continue
    const none = { ...studentRef(student), hashes: [], secretHere: false, disabled: true }
    const holder: KeyHolder = holders.get(student) ?? none
    holder.hashes.push(key.hash)
    holder.secretHere ||= secretHere.has(key.hash)
    holder.disabled &&= key.disabled
    holders.set(student, holder)
  }
  return [...holders.values()]
}
