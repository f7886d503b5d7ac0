import type { Ledger } from '../../db/ledger.js'
import { ClassKeysError } from '../core/errors.js'
import type { Key } from '../core/key.js'
import { type Matching, matchKeys } from '../core/matching.js'
import type { Drift } from '../core/results.js'
import { isLikely, secondKeys } from '../core/second-keys.js'
import { type Person, studentRef } from '../core/student.js'
import type { OpenRouter } from '../openrouter/client.js'

/** Everything in OpenRouter at a moment. */
export interface Listed {
  keys: Key[]
  /** When the reading was begun. */
  listedAt: Date
}

/** Fetches every key of the account; `onProgress` is told how many have come. */
export async function fetchKeys(
  openRouter: OpenRouter,
  onProgress: (count: number) => void,
): Promise<Listed> {
  const listedAt = new Date()
  return { listedAt, keys: await openRouter.listKeys(onProgress) }
}

/** In a class of fewer keys, that all are gone is no sign of anything. */
const FEWEST_KEYS = 10

/**
 * Refuses a listing in which a whole class is missing: it is of another account, and everybody would get a second key.
 * @throws ClassKeysError `other_account`, exit code 4
 */
export async function refuseOtherAccount(ledger: Ledger, keys: readonly Key[]): Promise<void> {
  const ours = await ledger.hashesThere()
  const theirs = new Set(keys.map(({ hash }) => hash))
  if (ours.length < FEWEST_KEYS || ours.some((hash) => theirs.has(hash))) return
  throw new ClassKeysError(
    'other_account',
    `None of the ${ours.length} keys of ${ledger.path} is in this account. Is the management key another account's, or does OPENROUTER_BASE_URL point elsewhere? Nothing was changed. If they have really been deleted, run class-keys check --all-gone first.`,
    4,
  )
}

/**
 * Matches a listing to the people of the class and brings the ledger up to it.
 * @returns whose the keys are, and what changed without this tool
 *
 * Who seems to be somebody whom the ledger knows by another MQ ID is not written down yet: it would take the address
 * from the one who has the key, and nothing would tell any more that they are one person.
 * @param options whether to write down what each key has spent; whether this run holds the lock, and so may settle
 *   changes whose answer was lost; whether it is believed that every key of the ledger is gone
 * @throws ClassKeysError `other_account`
 */
export async function recordListing<P extends Person>(
  ledger: Ledger,
  { keys, listedAt }: Listed,
  people: readonly P[],
  { withUsage = false, settlePending = false, allGone = false },
): Promise<{ matching: Matching<P>; drift: Drift[] }> {
  if (!allGone) await refuseOtherAccount(ledger, keys)
  const known = await ledger.knownClass()
  const matching = matchKeys(keys, people, known.heldBy, listedAt)
  const suspects = secondKeys(matching.keyless.map(studentRef), people, { ...known, keys, now: listedAt })
  const held = new Set(suspects.filter(isLikely).map(({ mqId }) => mqId))
  const drift = await ledger.recordListing(
    {
      keys,
      matching,
      people: people.filter(({ mqId }) => !held.has(mqId)),
      listedAt,
      withUsage,
      settlePending,
    },
    new Date(),
  )
  return { matching, drift }
}
