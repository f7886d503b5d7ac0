import type { Problem } from './errors.js'
import { isExpired, type Key } from './key.js'
import { mqIdOfKeyName, sameMqId, withoutZeros } from './key-name.js'
import type { Target } from './limits.js'
import type { Match } from './matching.js'

/** A target together with the key it is about. */
export interface FoundTarget {
  target: Target
  /** Undefined where no key, or no single key, is meant. */
  key: Key | undefined
  /** Why nothing is done for it, where nothing may be. */
  why?: string
  /** Whether the key has been replaced by a newer one. */
  replaced?: boolean
}

/** The keys that limits.csv may speak of: those of the class alone. */
export interface ClassKeys {
  byHash: ReadonlyMap<string, Key>
  /** The keys of the student with an address, case aside. */
  ofEmail: (email: string) => readonly Key[]
  /** The keys that have been replaced by newer ones: the new hash by the old one. */
  replaced: ReadonlyMap<string, string>
  now: Date
}

/**
 * Finds the key of each target: by hash, else by address, where the address has one key, or one that works.
 *
 * A row of a key that was replaced by a newer one can disable it, where it was kept, and nothing else: it must neither
 * bring the old one back, nor be taken for the new one's.
 */
export function findTargets(targets: readonly Target[], keys: ClassKeys): FoundTarget[] {
  const lineOf = new Map<string, number>()
  const claim = (target: Target, key: Key): FoundTarget => {
    const earlier = lineOf.get(key.hash)
    if (earlier !== undefined) return { target, key: undefined, why: `line ${earlier} is about the same key` }
    lineOf.set(key.hash, target.line)
    return { target, key }
  }
  // A row that names a key by its hash comes before one that only means it by its address.
  const named = new Map(
    targets.flatMap((target) => {
      const key = keys.byHash.get(target.hash)
      if (!keys.replaced.has(target.hash)) return key ? [[target, claim(target, key)] as const] : []
      const found = key && onlyDisables(target) ? claim(target, key) : { target, key, why: REPLACED }
      return [[target, { ...found, replaced: true }] as const]
    }),
  )
  return targets.map((target) => named.get(target) ?? byAddress(target, keys, claim))
}

const REPLACED = 'its key was replaced by a newer one, which has a row of its own'

function onlyDisables({ limit, disabled, limitReset }: Target): boolean {
  return limit === undefined && limitReset === undefined && disabled === true
}

function byAddress(
  target: Target,
  { ofEmail, replaced, now }: ClassKeys,
  claim: (target: Target, key: Key) => FoundTarget,
): FoundTarget {
  const theirs = ofEmail(target.email)
  const working = theirs.filter((key) => !key.disabled && !isExpired(key, now) && !replaced.has(key.hash))
  const only = theirs.length === 1 ? theirs[0] : working.length === 1 ? working[0] : undefined
  if (only) return claim(target, only)
  if (theirs.length > 1) return { target, key: undefined, why: `${target.email} has ${theirs.length} keys` }
  return { target, key: undefined, why: target.hash === '' ? 'no key of this address' : 'no such key' }
}

/**
 * A problem of limits.csv for each row whose hash and MQ ID are of two students who have keys: where columns were sorted
 * apart, every row would change somebody else's key. An MQ ID of nobody is one from before it was corrected. Leading
 * zeros are not looked at, since spreadsheets take them away. A row whose key name nothing has any more is one of a key
 * that was renamed, and agrees with itself.
 * @param ofClass the keys of the class, with their students
 */
export function mixedUpRows(targets: readonly Target[], ofClass: readonly Match[]): Problem[] {
  const holderOf = new Map(ofClass.map(({ student, key }) => [key.hash, student.mqId]))
  const holders = new Set([...holderOf.values()].map(withoutZeros))
  const names = new Set(ofClass.map(({ key }) => key.name))
  return targets.flatMap(({ line, hash, mqId, keyName }) => {
    const theirs = holderOf.get(hash)
    if (theirs === undefined || sameMqId(theirs, mqId) || !holders.has(withoutZeros(mqId))) return []
    if (keyName !== '' && !names.has(keyName) && sameMqId(mqIdOfKeyName(keyName) ?? '', mqId)) return []
    const message = `its hash is of a key of ${theirs}; were the columns sorted apart?`
    return [{ line, column: 'mq_id', value: mqId, message }]
  })
}
