import type { Ledger } from '../../src/db/ledger.js'
import type { Creation, KeyRequest } from '../../src/lib/core/creation.js'
import type { Key } from '../../src/lib/core/key.js'
import { matchKeys } from '../../src/lib/core/matching.js'
import type { Person } from '../../src/lib/core/student.js'

/** A made-up person of the class. */
export function person(mqId: string, email: string, over: Partial<Person> = {}): Person {
  return { firstName: 'Ada', lastName: `Q${mqId}`, email, mqId, ...over }
}

/** A made-up key of a person, as a listing shows it. */
export function keyOf(of: Person, over: Partial<Key> = {}): Key {
  return {
    hash: `hash-of-${of.mqId}`,
    name: `20260219_${of.firstName} ${of.lastName}_${of.mqId}`,
    label: 'sk-or-v1-0e6…1c96',
    disabled: false,
    limit: 3,
    limitRemaining: 3,
    limitReset: null,
    usage: 0,
    byokUsage: 0,
    createdAt: '2026-02-19T20:52:27.363244+00:00',
    expiresAt: null,
    ...over,
  }
}

/** What is asked of OpenRouter for a person. */
export function requestOf(of: Person, over: Partial<KeyRequest> = {}): KeyRequest {
  return {
    student: of,
    keyName: keyOf(of).name,
    limit: 3,
    limitReset: null,
    expiresAt: null,
    guardrail: null,
    replaces: null,
    ...over,
  }
}

/** A secret that no key has. */
export function madeUpSecret(of: Person): string {
  return `made-up-secret-of-${of.mqId}`
}

/** Makes a person's key as far as the ledger is concerned: intent and answer. Gives the journal entry's number. */
export async function makeKey(
  ledger: Ledger,
  of: Person,
  at: Date,
  key = keyOf(of),
): Promise<Creation['id']> {
  const [id = 0] = await ledger.intend([requestOf(of, { keyName: key.name })], at)
  await ledger.completeCreation(
    id,
    requestOf(of, { keyName: key.name }),
    { key, secret: madeUpSecret(of) },
    at,
  )
  return id
}

/** Brings a ledger to what OpenRouter says: these people, these keys. */
export async function list(
  ledger: Ledger,
  people: readonly Person[],
  keys: readonly Key[],
  {
    at = new Date(),
    listedAt = at,
    withUsage = false,
    settlePending = false,
  }: { at?: Date; listedAt?: Date; withUsage?: boolean; settlePending?: boolean } = {},
): Promise<unknown> {
  const { heldBy } = await ledger.knownClass()
  const matching = matchKeys(keys, people, heldBy, listedAt)
  return ledger.recordListing({ keys, matching, people, listedAt, withUsage, settlePending }, at)
}
