import type { Creation, KeyRequest } from './creation.js'
import { type Doubt, settle } from './doubt.js'
import type { Problem } from './errors.js'
import { isExpired, type Key } from './key.js'
import { keyName, mqIdKey } from './key-name.js'
import { type Matching, matchKeys } from './matching.js'
import { type Limit, type LimitReset, sumUsd, type Usd } from './money.js'
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
  /** Deletions first, then creations in the order of the roster. */
  changes: (DeleteLostKey | CreateKey)[]
  keyHolders: KeyHolder[]
  /** Students whose key has been given another name in OpenRouter; the hash tells that it is theirs. */
  renamed: (StudentRef & { keyName: string; hash: string })[]
  leftAlone: LeftAlone[]
  /** Journal entries that the listing shows to have made nothing. */
  absent: number[]
  /** Journal entries whose lost key is gone: an earlier run deleted it and could not write that down. */
  undone: number[]
  /** Students whose address is a placeholder: nothing is made for them. */
  placeholders: StudentRef[]
  spending: Spending
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
  /** Now: its day goes into the names of new keys (local time), and keys that have expired by it count as none. */
  today: Date
}

/** Plans the keys of a class: settles what is in doubt, then one key for each student who has none. */
export function planProvision(input: ProvisionInput): ProvisionPlan {
  const doubt = settle(input.creations, input.keys, input.secretHere)
  const lost = doubt.lost.map(deleteLostKey)
  const leftAlone = doubt.unclear.map(({ creation, keys, why }) => ({
    ...studentRef(creation.student),
    keyName: creation.keyName,
    hashes: keys.map((key) => key.hash),
    why,
  }))
  const lostHashes = new Set(lost.map((change) => change.hash))
  const matching = matchKeys(
    input.keys.filter((key) => !lostHashes.has(key.hash)),
    input.students,
    input.today,
  )
  const renamed = renamedKeys(matching, input)
  const holders = new Set(renamed.map((key) => mqIdKey(key.mqId)))
  const inDoubt = new Set(leftAlone.map((left) => mqIdKey(left.mqId)))
  const creates = matching.keyless
    .filter((student) => !inDoubt.has(mqIdKey(student.mqId)) && !holders.has(mqIdKey(student.mqId)))
    .map((student) => createKey(student, input))
  return {
    version: 1,
    command: 'provision',
    changes: [...lost, ...creates],
    keyHolders: [
      ...keyHolders(matching, input.secretHere),
      ...renamed.map(({ keyName: _, hash, ...student }) => ({
        ...student,
        hashes: [hash],
        secretHere: input.secretHere.has(hash),
      })),
    ],
    renamed,
    leftAlone,
    absent: doubt.absent.map((creation) => creation.id),
    undone: doubt.undone.map((creation) => creation.id),
    placeholders: input.placeholders.map(studentRef),
    spending: spendingOf([
      ...matching.matched
        .filter(({ key }) => !key.disabled && !isExpired(key, input.today))
        .map(({ key }) => key),
      ...creates,
    ]),
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

/** The request that a planned creation stands for. */
export function keyRequest(change: CreateKey, people: ReadonlyMap<string, Person>): KeyRequest {
  const student = people.get(change.mqId)
  if (!student) throw new Error(`the plan names ${change.mqId}, who is not on the roster`)
  return { student, keyName: change.keyName, limit: change.limit, limitReset: change.limitReset }
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
  }
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

function deleteLostKey({ creation, hash }: Doubt['lost'][number]): DeleteLostKey {
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
