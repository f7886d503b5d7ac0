import type { KeyRef, UpdateKey } from './changes.js'
import type { WrongTerms } from './creation.js'
import type { Key } from './key.js'
import { sameLimit } from './money.js'

/**
 * The change that brings a key to the terms that it was made for; undefined where it has them by now.
 * @param of the key and whose it is
 * @param terms what was asked for; what is absent stays as it is
 */
export function setRight(
  of: KeyRef,
  key: Pick<Key, 'limit' | 'limitReset'>,
  terms: Pick<WrongTerms, 'limit' | 'limitReset'>,
): UpdateKey | undefined {
  const { limit = key.limit, limitReset = key.limitReset } = terms
  const [wrongLimit, wrongReset] = [!sameLimit(limit, key.limit), limitReset !== key.limitReset]
  if (!wrongLimit && !wrongReset) return undefined
  return {
    kind: 'update',
    ...of,
    ...(wrongLimit && { limit: { from: key.limit, to: limit } }),
    ...(wrongReset && { limitReset: { from: key.limitReset, to: limitReset } }),
    refills: limitReset,
  }
}
