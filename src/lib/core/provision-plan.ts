import type { AssignGuardrail, EnableKey } from './changes.js'
import type { Creation, GuardrailRef, KeyRequest } from './creation.js'
import { type Doubt, settle } from './doubt.js'
import { ClassKeysError, type Problem } from './errors.js'
import { isExpired, type Key } from './key.js'
import { keyName, mqIdKey } from './key-name.js'
import { type Matching, matchKeys } from './matching.js'
import { formatUsd, type Limit, type LimitReset, sumUsd, type Usd } from './money.js'
import { assess, type Safety } from './safety.js'
import { fullName, type Person, type Student } from './student.js'

/** A student as plans and results name them. */
export interface StudentRef {
  email: string
  name: string
  mqId: string
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

/** A creation in doubt that is left alone, and why. */
export interface LeftAlone extends StudentRef {
  keyName: string
  /** The keys that could be meant. */
  hashes: string[]
  why: string
}

/** A student who has a key already. */
export interface KeyHolder extends StudentRef {
  hashes: string[]
  /** Whether this ledger holds the secret of one of them. */
  secretHere: boolean
}

/** What the class's enabled keys may spend in each period together, in US dollars; null is unlimited. */
export type Spending = { reset: LimitReset; limit: Limit }[]

/** The changes that give each student of the roster one key. Data: it can be shown, stored and applied. */
export interface ProvisionPlan {
  version: 1
  command: 'provision'
  /** Deletions first, then keys of students who are back, then creations in the order of the roster, then guardrails. */
  changes: (DeleteLostKey | EnableKey | CreateKey | AssignGuardrail)[]
  keyHolders: KeyHolder[]
  /** Students whose key has been given another name in OpenRouter; the hash tells that it is theirs. */
  renamed: (StudentRef & { keyName: string; hash: string })[]
  /** Students who get a key while somebody of the same name who is not on the roster has one: a corrected MQ ID? */
  namesakes: (StudentRef & { keyName: string; hash: string })[]
  leftAlone: LeftAlone[]
  /** Journal entries that the listing shows to have made nothing. */
  absent: number[]
  /** Journal entries whose lost key is gone: an earlier run deleted it and could not write that down. */
  undone: number[]
  /** Students whose address is a placeholder: nothing is made for them. */
  placeholders: StudentRef[]
  spending: Spending
  /** What the account has left, in US dollars; null where OpenRouter did not say. */
  balance: Usd | null
  safety: Safety
}

/** A key that was made for a guardrail, and that OpenRouter has not confirmed to have it. */
export interface UnassignedKey {
  hash: string
  guardrail: GuardrailRef
}

/** What a plan is made from. */
export interface ProvisionInput {
  /** The roster without placeholder addresses. */
  students: readonly Student[]
  placeholders: readonly Student[]
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Journal entries that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
  /** Whose the keys are that the ledger knows, MQ IDs by hash: a key that is renamed is still its student's. */
  heldBy?: ReadonlyMap<string, string>
  /** Overrides every budget, in US dollars. */
  limit: Usd | undefined
  /** Overrides every expiry, UTC with seconds. */
  expiresAt?: string | undefined
  /** What every new key is to have; null or absent for none. */
  guardrail?: GuardrailRef | null
  /** Keys of earlier runs that have not got theirs. */
  unassigned?: readonly UnassignedKey[]
  /** Hashes of the keys that `offboard` has disabled. */
  offboarded?: ReadonlySet<string>
  /** Hashes of the keys that limits.csv asks to be disabled. */
  heldDisabled?: ReadonlySet<string>
  /** Everybody of the class, those who have left too: theirs are the class's keys. */
  everybody?: readonly Person[]
  /** Percent of the class's keys that may be disabled, deleted or lowered. */
  maxChange?: number
  balance?: Usd | null
  /** Now: its day goes into the names of new keys (local time), and keys that have expired by it count as none. */
  today: Date
}

/** Plans the keys of a class: settles what is in doubt, then one key for each student who has none. */
export function planProvision(input: ProvisionInput): ProvisionPlan {
  const doubt = settle(input.creations, input.keys, input.secretHere)
  const lost = doubt.lost.map(deleteLostKey)
  const leftAlone = doubt.unclear.map(leftAloneOf)
  const lostHashes = new Set(lost.map((change) => change.hash))
  const matching = matchKeys(
    input.keys.filter((key) => !lostHashes.has(key.hash)),
    input.students,
    input.today,
  )
  const renamed = renamedKeys(matching, input)
  const holders = new Set(renamed.map((key) => mqIdKey(key.mqId)))
  const inDoubt = new Set(leftAlone.map((left) => mqIdKey(left.mqId)))
  const held = heldKeys(matching, renamed, input.keys)
  const enables = keysToEnable(held, input)
  const creates = matching.keyless
    .filter((student) => !inDoubt.has(mqIdKey(student.mqId)) && !holders.has(mqIdKey(student.mqId)))
    .map((student) => createKey(student, input))
  const enabling = new Set(enables.map((change) => change.hash))
  const changes = [...lost, ...enables, ...creates, ...missingGuardrails(held, input)]
  return {
    version: 1,
    command: 'provision',
    changes,
    keyHolders: [
      ...keyHolders(matching, input.secretHere),
      ...renamed.map(({ keyName: _, hash, ...student }) => ({
        ...student,
        hashes: [hash],
        secretHere: input.secretHere.has(hash),
      })),
    ].filter(({ hashes }) => !hashes.some((hash) => enabling.has(hash))),
    renamed,
    namesakes: namesakesOf(creates, input),
    leftAlone,
    absent: doubt.absent.map((creation) => creation.id),
    undone: doubt.undone.map((creation) => creation.id),
    placeholders: input.placeholders.map(studentRef),
    spending: spendingOf([
      ...held
        .filter(({ key }) => !key.disabled || enabling.has(key.hash))
        .filter(({ key }) => !isExpired(key, input.today))
        .map(({ key }) => key),
      ...creates,
    ]),
    balance: input.balance ?? null,
    safety: assess(
      changes,
      matchKeys(input.keys, input.everybody ?? input.students).matched.map(({ key }) => key),
      input.maxChange,
    ),
  }
}

/** A problem of the roster for each student whose key would need a limit that neither it nor `--limit` gives. */
export function missingBudgets(
  plan: ProvisionPlan,
  students: readonly Student[],
  limit: Usd | undefined,
): Problem[] {
  if (limit !== undefined) return []
  const creates = new Set(plan.changes.flatMap((change) => (change.kind === 'create' ? [change.mqId] : [])))
  return students
    .filter((student) => student.budget === undefined && creates.has(student.mqId))
    .map(({ line, email, ...student }) => ({
      line,
      column: 'budget',
      message: `is empty: ${fullName(student)} (${email})`,
    }))
}

/**
 * A problem of the roster for each student whose key would have expired before it was made.
 * @param expiresAt what `--expires` says, which overrides the roster
 */
export function pastExpiries(
  plan: ProvisionPlan,
  students: readonly Student[],
  expiresAt: string | undefined,
  now: Date,
): Problem[] {
  if (expiresAt !== undefined) return []
  const creates = new Set(plan.changes.flatMap((change) => (change.kind === 'create' ? [change.mqId] : [])))
  return students
    .filter(
      ({ mqId, expiresAt: at }) => creates.has(mqId) && at !== undefined && Date.parse(at) <= now.getTime(),
    )
    .map(({ line, email, ...student }) => ({
      line,
      column: 'expires_at',
      message: `is over already: ${fullName(student)} (${email})`,
    }))
}

/**
 * Refuses a plan by which the class could spend more than it may. The limits of all enabled keys count, each
 * once, whatever its period: that is what could be spent before anything refills.
 * @throws ClassKeysError `over_class_budget`, exit code 4
 */
export function refuseOverBudget(plan: ProvisionPlan, classBudget: Usd | undefined): void {
  if (classBudget === undefined) return
  const limits = plan.spending.map(({ limit }) => limit)
  const known = limits.filter((limit) => limit !== null)
  const sum = sumUsd(known)
  const unlimited = known.length < limits.length
  if (!unlimited && sum <= classBudget) return
  throw new ClassKeysError(
    'over_class_budget',
    `The class could then spend ${unlimited ? 'without limit' : formatUsd(sum)}, and its budget is ${formatUsd(classBudget)}. Nothing was changed. Lower the budgets of the roster, or raise --class-budget.`,
    4,
  )
}

/** The request that a planned creation stands for. */
export function keyRequest(change: CreateKey, people: ReadonlyMap<string, Person>): KeyRequest {
  const student = people.get(change.mqId)
  if (!student) throw new Error(`the plan names ${change.mqId}, who is not on the roster`)
  const { keyName, limit, limitReset, expiresAt, guardrail, replaces } = change
  return { student, keyName, limit, limitReset, expiresAt, guardrail, replaces }
}

/** What keys or planned keys may spend together in each period. */
export function spendingOf(keys: readonly { limit: Limit; limitReset: LimitReset }[]): Spending {
  return (['daily', 'weekly', 'monthly', null] as const).flatMap((reset) => {
    const limits = keys.filter((key) => key.limitReset === reset).map((key) => key.limit)
    if (limits.length === 0) return []
    const known = limits.filter((limit) => limit !== null)
    return [{ reset, limit: known.length < limits.length ? null : sumUsd(known) }]
  })
}

/** A student as plans and results name them. */
export function studentRef(person: Person): StudentRef {
  return { email: person.email, name: fullName(person), mqId: person.mqId }
}

function createKey(student: Student, input: ProvisionInput): CreateKey {
  return {
    kind: 'create',
    ...studentRef(student),
    keyName: keyName(student, input.today),
    // A missing budget is refused before anything is applied: see missingBudgets.
    limit: input.limit ?? student.budget ?? 0,
    limitReset: student.limitReset,
    expiresAt: input.expiresAt ?? student.expiresAt ?? null,
    guardrail: input.guardrail ?? null,
    replaces: null,
  }
}

/**
 * The keys to be enabled again: of each student who was offboarded and is back, and has no other key that works,
 * the newest one. A key that the instructor has disabled stays so.
 */
function keysToEnable(
  held: readonly HeldKey[],
  { offboarded, heldDisabled, today }: ProvisionInput,
): EnableKey[] {
  if (!offboarded || offboarded.size === 0) return []
  const theirs = new Map<string, { student: StudentRef; keys: Key[] }>()
  for (const { student, key } of held) {
    if (isExpired(key, today)) continue
    const of = theirs.get(mqIdKey(student.mqId)) ?? { student, keys: [] }
    of.keys.push(key)
    theirs.set(mqIdKey(student.mqId), of)
  }
  return [...theirs.values()].flatMap(({ student, keys: all }) => {
    if (all.some((key) => !key.disabled)) return []
    const newest = all.filter((key) => offboarded.has(key.hash) && !heldDisabled?.has(key.hash)).at(-1)
    return newest ? [{ kind: 'enable' as const, ...student, keyName: newest.name, hash: newest.hash }] : []
  })
}

/** The keys of people who have left and are called as somebody is who gets a new one. */
function namesakesOf(
  creates: readonly CreateKey[],
  { students, placeholders, everybody = [], heldBy, keys, today }: ProvisionInput,
): ProvisionPlan['namesakes'] {
  const here = new Set([...students, ...placeholders].map(({ mqId }) => mqIdKey(mqId)))
  const left = everybody.filter(({ mqId }) => !here.has(mqIdKey(mqId)))
  const nameOf = new Map(left.map((person) => [mqIdKey(person.mqId), fullName(person).toLowerCase()]))
  const keyOf = new Map<string, Key>()
  for (const key of keys) {
    const name = nameOf.get(mqIdKey(heldBy?.get(key.hash) ?? ''))
    if (name !== undefined && !key.disabled && !isExpired(key, today)) keyOf.set(name, key)
  }
  return creates.flatMap(({ email, name, mqId }) => {
    const key = keyOf.get(name.toLowerCase())
    return key ? [{ email, name, mqId, keyName: key.name, hash: key.hash }] : []
  })
}

/** A key of a student of the roster, whatever it is called. */
interface HeldKey {
  student: StudentRef
  key: Key
}

/** The keys of the roster's students: those whose names tell it, then those that have been given another name. */
function heldKeys({ matched }: Matching, renamed: ProvisionPlan['renamed'], keys: readonly Key[]): HeldKey[] {
  const byHash = new Map(keys.map((key) => [key.hash, key]))
  return [
    ...matched.map(({ student, key }) => ({ student: studentRef(student), key })),
    ...renamed.flatMap(({ hash, keyName: _, ...student }) => {
      const key = byHash.get(hash)
      return key ? [{ student, key }] : []
    }),
  ]
}

/** The keys of the class that were made for a guardrail and have not got it. */
function missingGuardrails(held: readonly HeldKey[], { unassigned = [] }: ProvisionInput): AssignGuardrail[] {
  const guardrailOf = new Map(unassigned.map(({ hash, guardrail }) => [hash, guardrail]))
  return held.flatMap(({ student, key }) => {
    const guardrail = guardrailOf.get(key.hash)
    return guardrail
      ? [{ kind: 'assign-guardrail' as const, ...student, keyName: key.name, hash: key.hash, guardrail }]
      : []
  })
}

/** The keys that no student's MQ ID ends the name of, and that the ledger knows to be a keyless student's. */
function renamedKeys(
  { orphaned, keyless }: Matching,
  { heldBy, today }: ProvisionInput,
): ProvisionPlan['renamed'] {
  const students = new Map(keyless.map((student) => [mqIdKey(student.mqId), student]))
  return orphaned.flatMap((key) => {
    const student = students.get(mqIdKey(heldBy?.get(key.hash) ?? ''))
    return student && !isExpired(key, today)
      ? [{ ...studentRef(student), keyName: key.name, hash: key.hash }]
      : []
  })
}

/** A creation in doubt that is left alone, as plans tell it. */
export function leftAloneOf({ creation, keys, why }: Doubt['unclear'][number]): LeftAlone {
  const { student, keyName: name } = creation
  return { ...studentRef(student), keyName: name, hashes: keys.map((key) => key.hash), why }
}

/** The deletion of a lost key, as plans tell it. */
export function deleteLostKey({ creation, hash }: Doubt['lost'][number]): DeleteLostKey {
  const { id, keyName, student } = creation
  return { kind: 'delete-lost', ...studentRef(student), keyName, hash, creationId: id }
}

function keyHolders({ matched, keyless }: Matching, secretHere: ReadonlySet<string>): KeyHolder[] {
  const without = new Set(keyless)
  const holders = new Map<Person, KeyHolder>()
  for (const { student, key } of matched) {
    if (without.has(student)) continue
    const holder = holders.get(student) ?? { ...studentRef(student), hashes: [], secretHere: false }
    holder.hashes.push(key.hash)
    holder.secretHere ||= secretHere.has(key.hash)
    holders.set(student, holder)
  }
  return [...holders.values()]
}
