import type { KeyRef } from './changes.js'
import type { KnownClass } from './class-people.js'
import { isExpired, type Key } from './key.js'
import { mqIdKey, mqIdOfKeyName, withoutZeros } from './key-name.js'
import { emailKey, fullName, type Person, type StudentRef } from './student.js'

/**
 * A student who gets a key, and seems to be somebody who has one that works under another MQ ID: one that was
 * corrected, or that a spreadsheet has taken the leading zeros from. `keyName` and `hash` are of the key that is there.
 */
export interface SecondKey extends KeyRef {
  /** What the two have in common. */
  because: 'address' | 'mq_id' | 'name'
}

/** Whether it is hardly somebody else: two students may have one name, and not one address. */
export function isLikely({ because }: SecondKey): boolean {
  return because !== 'name'
}

/**
 * Finds the keys that students without one seem to have under another MQ ID.
 * @param roster everybody whose MQ ID is right: their keys are not anybody else's
 * @param known what the ledger knew before it was told of the roster, everything in OpenRouter, and when that was
 */
export function secondKeys(
  keyless: readonly StudentRef[],
  roster: readonly Person[],
  { students, heldBy, keys, now }: KnownClass & { keys: readonly Key[]; now: Date },
): SecondKey[] {
  if (keyless.length === 0) return []
  const here = new Set(roster.map(({ mqId }) => mqIdKey(mqId)))
  const left = new Map(students.map((person) => [mqIdKey(person.mqId), person]))
  const found = {
    address: new Map<string, Key>(),
    mq_id: new Map<string, Key>(),
    name: new Map<string, Key>(),
  }
  for (const key of keys) {
    const mqId = mqIdKey(heldBy.get(key.hash) ?? mqIdOfKeyName(key.name) ?? '')
    if (mqId === '' || here.has(mqId) || key.disabled || isExpired(key, now)) continue
    found.mq_id.set(withoutZeros(mqId), key)
    const person = heldBy.has(key.hash) ? left.get(mqId) : undefined
    if (!person) continue
    found.address.set(emailKey(person.email), key)
    found.name.set(fullName(person).toLowerCase(), key)
  }
  return keyless.flatMap(({ email, name, mqId }) => {
    const by = {
      address: found.address.get(emailKey(email)),
      mq_id: found.mq_id.get(withoutZeros(mqId)),
      name: found.name.get(name.toLowerCase()),
    }
    const because = (['address', 'mq_id', 'name'] as const).find((way) => by[way])
    const key = because && by[because]
    return key ? [{ email, name, mqId, keyName: key.name, hash: key.hash, because }] : []
  })
}
