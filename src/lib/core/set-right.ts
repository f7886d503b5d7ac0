import { keyRef, type UpdateKey } from './changes.js'
import type { WrongTerms } from './creation.js'
import type { Match } from './matching.js'
import { sameLimit } from './money.js'

/** The change that brings a key to the terms that it was made for; undefined where it has them by now. */
export function setRight(match: Match, terms: WrongTerms): UpdateKey | undefined {
  const { key } = match
  const { limit = key.limit, limitReset = key.limitReset } = terms
  const [wrongLimit, wrongReset] = [!sameLimit(limit, key.limit), limitReset !== key.limitReset]
  if (!wrongLimit && !wrongReset) return undefined
  return {
    kind: 'update',
    ...keyRef(match),
    ...(wrongLimit && { limit: { from: key.limit, to: limit } }),
    ...(wrongReset && { limitReset: { from: key.limitReset, to: limitReset } }),
    refills: limitReset,
  }
}
