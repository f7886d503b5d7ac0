import type { DeleteLostKey } from './changes.js'
import type { Creation } from './creation.js'
import { isUsed, type Key } from './key.js'
import { type StudentRef, studentRef } from './student.js'

/** What the listing says of the creations whose answer never came. */
export interface Doubt {
  /** Keys that nobody has ever seen the secret of: they are of no use to anyone, and are to be deleted. */
  lost: { creation: Creation; hash: string }[]
  /** Creations that made nothing. */
  absent: Creation[]
  /** Creations whose lost key an earlier run has deleted without being able to write it down. */
  undone: Creation[]
  /** Creations of which nothing can be told for certain: a person has to look. */
  unclear: { creation: Creation; keys: Key[]; why: string }[]
}

/** A creation in doubt that is left alone, and why. */
export interface LeftAlone extends StudentRef {
  keyName: string
  /** The keys that could be meant. */
  hashes: string[]
  why: string
}

/** What a listing says of creations in doubt, beside the lost keys, as every plan that makes keys tells it. */
export interface Settled {
  leftAlone: LeftAlone[]
  /** Journal entries that the listing shows to have made nothing. */
  absent: number[]
  /** Journal entries whose lost key is gone: an earlier run deleted it and could not write that down. */
  undone: number[]
}

/** What creations in doubt are settled from. */
export interface DoubtInput {
  /** Journal entries that are open, being undone, or held absent. */
  creations: readonly Creation[]
  /** Everything in OpenRouter, disabled keys included. */
  keys: readonly Key[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: ReadonlySet<string>
}

/**
 * Settles the creations in doubt for a plan: its first changes, what it tells of the rest, and the keys that are there
 * once the lost ones are deleted.
 */
export function settleDoubt({ creations, keys, secretHere }: DoubtInput): {
  lost: DeleteLostKey[]
  settled: Settled
  there: Key[]
} {
  const doubt = settle(creations, keys, secretHere)
  const gone = new Set(doubt.lost.map(({ hash }) => hash))
  return {
    lost: doubt.lost.map(deleteLostKey),
    settled: {
      leftAlone: doubt.unclear.map(leftAloneOf),
      absent: doubt.absent.map(({ id }) => id),
      undone: doubt.undone.map(({ id }) => id),
    },
    there: keys.filter(({ hash }) => !gone.has(hash)),
  }
}

function leftAloneOf({ creation, keys, why }: Doubt['unclear'][number]): LeftAlone {
  const { student, keyName } = creation
  return { ...studentRef(student), keyName, hashes: keys.map((key) => key.hash), why }
}

function deleteLostKey({ creation, hash }: Doubt['lost'][number]): DeleteLostKey {
  const { id, keyName, student } = creation
  return { kind: 'delete-lost', ...studentRef(student), keyName, hash, creationId: id }
}

const USED = 'the key that was being made has been used by somebody'
const ELSEWHEN = 'there is a key of that name, but it was made at another time'
const HELD = 'the key that was to be deleted as a lost one has its secret in this ledger'
/** How far this machine's clock and OpenRouter's may differ. */
const CLOCK_SKEW_MS = 15 * 60_000
/** How long after its intent a request may still come true: pauses and time-outs end long before. */
const LATE_MS = 60 * 60_000

/**
 * Settles the creations in doubt. The lost key of a creation is the one with exactly the intended name, made
 * since the intent, whose secret this ledger has never held, and that has never been used. What does not
 * fit exactly is left alone.
 * @param creations journal entries that are open, being undone, or held absent
 * @param keys everything in OpenRouter, disabled keys included
 * @param secretHere hashes of the keys whose secret is in the ledger
 */
export function settle(
  creations: readonly Creation[],
  keys: readonly Key[],
  secretHere: ReadonlySet<string>,
): Doubt {
  const doubt: Doubt = { lost: [], absent: [], undone: [], unclear: [] }
  if (creations.length === 0) return doubt
  const namesakes = group(keys, (key) => key.name)
  const listed = new Map(keys.map((key) => [key.hash, key]))
  for (const [name, ofName] of group(creations, (creation) => creation.keyName)) {
    const undoing = ofName.filter((creation) => creation.state === 'undoing')
    for (const creation of undoing) {
      const { keyHash } = creation
      const key = keyHash === null ? undefined : listed.get(keyHash)
      if (!key) doubt.undone.push(creation)
      else if (secretHere.has(key.hash)) doubt.unclear.push({ creation, keys: [key], why: HELD })
      else if (isUsed(key)) doubt.unclear.push({ creation, keys: [key], why: USED })
      else doubt.lost.push({ creation, hash: key.hash })
    }
    // A key that is to be replaced may have the same name, if it was made on the same day.
    const taken = new Set(undoing.map((creation) => creation.keyHash))
    for (const { replaces } of ofName) taken.add(replaces)
    const unknown = (namesakes.get(name) ?? []).filter(
      (key) => !secretHere.has(key.hash) && !taken.has(key.hash),
    )
    const open = ofName.filter((creation) => creation.state === 'open')
    const absent = ofName.filter((creation) => creation.state === 'absent')
    if (open.length > 0) settleOpen(doubt, open, absent, unknown)
    else settleLate(doubt, absent, unknown)
  }
  return doubt
}

/**
 * Each unused key found belongs to one of the creations of that name, if there are no more keys than creations:
 * a creation that was held absent may have come true late, beside the one that is open now.
 */
function settleOpen(
  doubt: Doubt,
  open: readonly Creation[],
  absent: readonly Creation[],
  unknown: readonly Key[],
) {
  const all = [...open, ...absent]
  const candidates = unknown.filter((key) => all.some((creation) => mayBe(creation, key)))
  const why =
    candidates.length > all.length
      ? `${candidates.length} keys could be the one that was being made`
      : candidates.some(isUsed)
        ? USED
        : candidates.length === 0 && unknown.length > 0
          ? ELSEWHEN
          : undefined
  if (why !== undefined) {
    const keys = candidates.length > 0 ? candidates : [...unknown]
    for (const creation of open) doubt.unclear.push({ creation, keys, why })
    return
  }
  all.forEach((creation, i) => {
    const key = candidates[i]
    if (key) doubt.lost.push({ creation, hash: key.hash })
    else if (creation.state === 'open') doubt.absent.push(creation)
  })
}

/**
 * A creation that was held absent may have come true late, while its request was still under way: its key is
 * known by the same marks as that of an open one, and by having been made soon after.
 */
function settleLate(doubt: Doubt, absent: readonly Creation[], unknown: readonly Key[]) {
  const fits = (creation: Creation, key: Key) => mayBe(creation, key) && !isUsed(key)
  const candidates = unknown.filter((key) => absent.some((creation) => fits(creation, key)))
  if (candidates.length > absent.length) {
    const why = `${candidates.length} keys could be the one that was being made`
    for (const creation of absent) doubt.unclear.push({ creation, keys: candidates, why })
    return
  }
  const free = [...absent]
  for (const key of candidates) {
    const place = free.findIndex((creation) => fits(creation, key))
    const [creation] = place < 0 ? [] : free.splice(place, 1)
    if (creation) doubt.lost.push({ creation, hash: key.hash })
  }
}

/** Whether a key was made when the request of a creation was under way, as far as two clocks agree. */
function mayBe(creation: Creation, key: Key): boolean {
  const [sent, made] = [creation.intendedAt.getTime(), Date.parse(key.createdAt)]
  return made >= sent - CLOCK_SKEW_MS && made <= sent + LATE_MS + CLOCK_SKEW_MS
}

function group<T>(items: readonly T[], by: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = by(item)
    const members = groups.get(key)
    if (members) members.push(item)
    else groups.set(key, [item])
  }
  return groups
}
