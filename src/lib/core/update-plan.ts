import type { UpdateKey } from './changes.js'
import type { FoundTarget } from './find-targets.js'
import type { Key } from './key.js'
import { hasTargets, isRaise, type Target } from './limits.js'
import { type Limit, sameLimit } from './money.js'
import type { RelativeTarget } from './relative-targets.js'
import { assess, type Safety } from './safety.js'

/** The changes that make OpenRouter agree with limits.csv. Data: it can be shown, stored and applied. */
export interface UpdatePlan {
  version: 1
  command: 'update'
  /** In the order of limits.csv. */
  changes: UpdateKey[]
  /** How many rows ask for nothing, or for what already is. */
  unchanged: number
  /** Rows that match no key, or ask a key for what it cannot have: nothing is done for them. */
  unmatched: { line: number; email: string; name: string; hash: string; why: string }[]
  safety: Safety
}

/**
 * Plans one change for each row whose targets differ from what OpenRouter says.
 * @param relative what each relative target comes to
 * @param classKeys the keys of the class that are in OpenRouter, disabled ones included
 * @param maxChange percent of them that may be disabled or lowered; undefined is the usual share
 */
export function planUpdate(
  found: readonly FoundTarget[],
  relative: readonly RelativeTarget[],
  classKeys: readonly Pick<Key, 'hash' | 'disabled'>[],
  maxChange: number | undefined,
): UpdatePlan {
  const amounts = new Map(relative.map(({ hash, target }) => [hash, target]))
  const changes: UpdateKey[] = []
  const unmatched: UpdatePlan['unmatched'] = []
  for (const { target, key, why, replaced } of found) {
    const { line, email, name, hash } = target
    if (replaced && !hasTargets(target)) continue
    if (!key || why !== undefined) {
      unmatched.push({ line, email, name, hash, why: why ?? 'no such key' })
      continue
    }
    const wanted = isRaise(target.limit) ? amounts.get(key.hash) : target.limit
    if (isRaise(target.limit) && wanted === undefined) {
      const none = `its key has no limit that ${target.written.limit} could be added to`
      unmatched.push({ line, email, name, hash, why: none })
      continue
    }
    const change = difference(target, wanted, key)
    if (change) changes.push(change)
  }
  return {
    version: 1,
    command: 'update',
    changes,
    unchanged: found.length - changes.length - unmatched.length,
    unmatched,
    safety: assess(changes, classKeys, { maxChange }),
  }
}

/** The change that brings a key to its target and a limit, or undefined where they agree. */
function difference(target: Target, wanted: Limit | undefined, key: Key): UpdateKey | undefined {
  const limit =
    wanted !== undefined && !sameLimit(wanted, key.limit) ? { from: key.limit, to: wanted } : undefined
  const disabled =
    target.disabled !== undefined && target.disabled !== key.disabled
      ? { from: key.disabled, to: target.disabled }
      : undefined
  const limitReset =
    target.limitReset !== undefined && target.limitReset !== key.limitReset
      ? { from: key.limitReset, to: target.limitReset }
      : undefined
  if (!limit && !disabled && !limitReset) return undefined
  const { email, name, mqId } = target
  return {
    kind: 'update',
    email,
    name,
    mqId,
    keyName: key.name,
    hash: key.hash,
    ...(limit && { limit }),
    ...(disabled && { disabled }),
    ...(limitReset && { limitReset }),
    refills: limitReset ? limitReset.to : key.limitReset,
  }
}
