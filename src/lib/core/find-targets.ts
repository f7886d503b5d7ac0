import type { Problem } from './errors.js'
import { isExpired, type Key } from './key.js'
import { mqIdOfKeyName, sameMqId } from './key-name.js'
import type { Target } from './limits.js'

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
      if (keys.replaced.has(target.hash) && !(key && onlyDisables(target)))
        return [[target, { target, key, why: REPLACED, replaced: true }]]
      return key ? [[target, claim(target, key)] as const] : []
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
 * A problem of limits.csv for each row whose hash and MQ ID are of two students: where columns were sorted apart, every
 * row would change somebody else's key. Leading zeros are not looked at, since spreadsheets take them away.
 */
export function mixedUpRows(targets: readonly Target[], byHash: ReadonlyMap<string, Key>): Problem[] {
  return targets.flatMap(({ line, hash, mqId }) => {
    const theirs = mqIdOfKeyName(byHash.get(hash)?.name ?? '')
    if (mqId === '' || theirs === undefined || sameMqId(theirs, mqId)) return []
    const message = `its hash is of a key of ${theirs}; were the columns sorted apart? If the MQ ID was corrected, correct it here too`
    return [{ line, column: 'mq_id', value: mqId, message }]
  })
}
