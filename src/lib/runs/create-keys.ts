import type { CreateKey } from '../core/changes.js'
import type { KeyRequest } from '../core/creation.js'
import { sameExpiry } from '../core/expiry.js'
import type { Key } from '../core/key.js'
import { formatLimit, sameLimit } from '../core/money.js'
import type { StudentOutcome } from '../core/outcome.js'
import { setRight } from '../core/set-right.js'
import type { Person } from '../core/student.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { outcomeOfFailure } from './failure.js'
import { Intents } from './intents.js'
import type { RunPorts } from './ports.js'
import { updateKeys } from './update-run.js'
import { workThrough } from './workers.js'

/** What came of making keys once. */
export interface MadeKeys {
  outcomes: StudentOutcome[]
  /** The keys that were made and whose secrets are in the ledger. */
  made: Key[]
  /** Why no further key was made, where that holds for all students. */
  stoppedBy?: Error
}

/** So many requests without an answer in a row, and none with one, mean that OpenRouter is out of order. */
const HOPELESS = 16

/**
 * Makes the keys of a plan, several at a time. Each stands in the journal before it is asked for, and
 * its secret is committed before anything else happens with it. One student's refusal does not stop the
 * others, unless it would be everybody's.
 * @param onProgress is told how many students are done
 */
export async function createKeys(
  changes: readonly CreateKey[],
  people: ReadonlyMap<string, Person>,
  ports: RunPorts,
  onProgress: (done: number) => void,
): Promise<MadeKeys> {
  const result: MadeKeys = { outcomes: [], made: [] }
  const intents = new Intents(changes, people, ports)
  let unanswered = 0
  let forbidden: Error | undefined
  const goOn = () => !ports.stopping.aborted && !result.stoppedBy && !forbidden && unanswered < HOPELESS

  const createOne = async (change: CreateKey) => {
    try {
      const outcome = await createKey(change, intents, ports)
      unanswered = 0
      result.made.push(outcome.key)
      result.outcomes.push(outcome.of)
    } catch (error) {
      if (!(error instanceof Unmade)) {
        result.stoppedBy ??= error as Error
        result.outcomes.push({ ...outcomeOf(change), outcome: 'in doubt', reason: (error as Error).message })
        return
      }
      result.outcomes.push({ ...outcomeOf(change), outcome: error.outcome, reason: error.message })
      if (error.outcome === 'in doubt') unanswered++
      // What cannot be written into the journal must not be asked for.
      const isLedger = error.outcome === 'not tried' && !(error.reason instanceof OpenRouterError)
      if (isLedger || error.status === 401 || error.status === 429) result.stoppedBy ??= error.reason
      if (error.status === 403 && result.made.length === 0) forbidden ??= error.reason
    } finally {
      onProgress(result.outcomes.length)
    }
  }

  let rest = await workThrough(changes, ports.concurrency, goOn, createOne)
  // A 403 before anything was made may be everybody's. Those that were under way beside it tell.
  if (forbidden && result.made.length > 0) {
    forbidden = undefined
    rest = await workThrough(rest, ports.concurrency, goOn, createOne)
  }
  result.stoppedBy ??= forbidden
  await intents.closeUnsent(rest).catch((error: Error) => {
    result.stoppedBy ??= error
  })
  result.outcomes.push(
    ...rest.map((change): StudentOutcome => ({ ...outcomeOf(change), outcome: 'not tried' })),
  )
  return result
}

/** A creation that gave no key, or none that anybody knows of. */
class Unmade extends Error {
  readonly status: number | undefined

  constructor(
    readonly outcome: ReturnType<typeof outcomeOfFailure>,
    readonly reason: Error,
  ) {
    super(reason.message)
    this.status = reason instanceof OpenRouterError ? reason.status : undefined
  }
}

/** @throws Unmade where OpenRouter gave no key; what the ledger throws, where it could not be written */
async function createKey(change: CreateKey, intents: Intents, ports: RunPorts) {
  const { ledger, openRouter, now } = ports
  const { id, request } = await intents.of(change).catch((error: Error) => {
    throw new Unmade('not tried', error)
  })
  const made = await openRouter.createKey(request).catch(async (error: Error) => {
    const outcome = outcomeOfFailure(error)
    if (outcome !== 'in doubt') await ledger.closeEmptyCreations([id], 'refused', now())
    throw new Unmade(outcome, error)
  })
  // Before anything else happens with the key: its secret is nowhere but here.
  const presumed = made.key ?? presumedKey(request, made.hash, now())
  await ledger.completeCreation(id, request, { key: presumed, secret: made.secret }, now())
  const told = made.key ?? (await openRouter.findKey(made.hash).catch(() => undefined))
  if (!told) return { key: presumed, of: { ...outcomeOf(change), hash: made.hash, ...UNTOLD } }
  const key = await withItsTerms(change, told, ports)
  return { key, of: { ...outcomeOf(change), hash: key.hash, ...verified(change, key) } }
}

const UNTOLD = {
  outcome: 'failed',
  reason: 'a key was made, and its secret is in the ledger, but OpenRouter does not say what it may spend',
} as const

/** A key as it was asked for, where OpenRouter's own description of it is not understood. */
function presumedKey(
  { keyName: name, limit, limitReset, expiresAt }: KeyRequest,
  hash: string,
  at: Date,
): Key {
  const spent = { usage: 0, byokUsage: 0, limitRemaining: limit }
  return {
    hash,
    name,
    label: '',
    disabled: false,
    limit,
    limitReset,
    ...spent,
    createdAt: at.toISOString(),
    expiresAt,
  }
}

/**
 * Sets right what a new key may spend, where that is not what was asked for: the next run would find a key, and
 * be content with it. Gives the key as it is then.
 */
async function withItsTerms(change: CreateKey, key: Key, ports: RunPorts): Promise<Key> {
  const wrong = setRight({ ...outcomeOf(change), hash: key.hash }, key, change)
  // An answer about a key of another name is one about somebody else's.
  if (!wrong || key.name !== change.keyName) return key
  // The limit goes along where only the period is wrong: an answer that is wrong about one is not trusted about the other.
  const whole = { ...wrong, limit: { from: key.limit, to: change.limit } }
  const { changed } = await updateKeys([whole], ports, () => {})
  return changed.get(key.hash) ?? key
}

/** Compares a new key with what was asked for: a limit that did not come through is money. */
function verified(change: CreateKey, key: Key): Pick<StudentOutcome, 'outcome' | 'reason'> {
  const same = sameLimit(change.limit, key.limit) && change.limitReset === key.limitReset
  if (key.name !== change.keyName) {
    const reason = `a key was made, but OpenRouter calls it ${key.name}: its student cannot be told from that`
    return { outcome: 'failed', reason }
  }
  if (same && sameExpiry(change.expiresAt, key.expiresAt)) return { outcome: 'created' }
  const words = ({ limit, limitReset, expiresAt }: Pick<Key, 'limit' | 'limitReset' | 'expiresAt'>) =>
    `${formatLimit(limit)}${limitReset === null ? '' : ` ${limitReset}`}${expiresAt === null ? '' : ` until ${expiresAt}`}`
  const reason = `a key was made, but with ${words(key)} instead of ${words(change)}`
  return { outcome: 'failed', reason }
}

function outcomeOf({ email, name, mqId, keyName }: CreateKey) {
  return { email, name, mqId, keyName }
}
