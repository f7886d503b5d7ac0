import type { Account } from './account.js'
import { Refusal, usualMessage } from './answers.js'
import { hashOf } from './key-store.js'

/**
 * Tells whose key a request carries: gives its hash, or `null` for the management key.
 * @throws Refusal 401 without a key, and with one that is unknown, disabled or expired
 */
export function identify(authorization: string | null, account: Account): string | null {
  const secret = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  if (secret === undefined) throw new Refusal(401, usualMessage(401))
  if (secret === account.managementKey) return null
  const key = account.keys.find(hashOf(secret))
  const expired = key?.expiresAt && key.expiresAt <= account.now()
  if (key === undefined || key.disabled || expired) throw new Refusal(401, usualMessage(401))
  return key.hash
}
