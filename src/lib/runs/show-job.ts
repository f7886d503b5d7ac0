import type { Ledger } from '../../db/ledger.js'
import type { StudentKey } from '../../db/student-keys.js'
import { filterHistory, historyLine } from '../core/history.js'
import { isExpired, type Key } from '../core/key.js'
import { nextRefill } from '../core/refill.js'
import type { ShownKey, ShowResult } from '../core/results.js'
import type { Person } from '../core/student.js'
import { studentRef } from '../core/student.js'
import type { OpenRouter } from '../openrouter/client.js'

/** Gathers what there is to know of one student: from OpenRouter what the keys may do now, the rest from the ledger. */
export async function showStudent(
  student: Person,
  ledger: Ledger,
  openRouter: OpenRouter,
  now: Date,
): Promise<ShowResult> {
  const kept = await ledger.keysOf(student.email)
  const keys = await Promise.all(
    kept.map(async (key) =>
      shownKey(key, key.goneAt === null ? await openRouter.findKey(key.keyHash) : undefined, now),
    ),
  )
  const ref = studentRef(student)
  const history = filterHistory(await ledger.history(), { student: student.email }).map(historyLine)
  return { student: ref, keys, history }
}

function shownKey(
  { keyHash, keyName, secret, usage }: StudentKey,
  key: Key | undefined,
  now: Date,
): ShownKey {
  return {
    keyName: key?.name ?? keyName,
    hash: keyHash,
    exists: key !== undefined,
    disabled: key?.disabled ?? null,
    limit: key?.limit ?? null,
    limitRemaining: key?.limitRemaining ?? null,
    limitReset: key?.limitReset ?? null,
    refillsAt: nextRefill(key?.limitReset ?? null, now)?.toISOString() ?? null,
    expiresAt: key?.expiresAt ?? null,
    expired: key !== undefined && isExpired(key, now),
    usage: key?.usage ?? null,
    secretHere: secret !== undefined,
    usageOverTime: usage,
  }
}
