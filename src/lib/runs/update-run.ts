import type { Change } from '../../db/keys.js'
import type { Key } from '../core/key.js'
import { limitText, resetText, sameLimit } from '../core/money.js'
import type { StudentOutcome } from '../core/outcome.js'
import type { UpdateKey } from '../core/update-plan.js'
import type { KeyChange } from '../openrouter/client.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { outcomeOfFailure } from './failure.js'
import type { RunPorts } from './ports.js'
import { workThrough } from './workers.js'

/** What came of changing keys. */
export interface Updates {
  outcomes: StudentOutcome[]
  /** The keys that OpenRouter has answered about, as they are now. */
  changed: Map<string, Key>
  /** Why no further key was changed, where that holds for all students. */
  stoppedBy?: Error
}

/**
 * Sends one request for each change, several at a time. What is about to be sent is written down first, so that
 * a change whose answer is lost stands in the changelog once all the same. Each answer is compared with
 * what was asked: a difference is a failure.
 * @param onProgress is told how many changes are done
 * @param options whether keys that are disabled are those of students who have left
 */
export async function updateKeys(
  changes: readonly UpdateKey[],
  ports: RunPorts,
  onProgress: (done: number) => void,
  { offboarding = false } = {},
): Promise<Updates> {
  const { ledger, openRouter, now } = ports
  const result: Updates = { outcomes: [], changed: new Map() }
  let forbidden: Error | undefined
  await ledger.intendChanges(changes.flatMap(logged), now(), { offboarding })
  const confirm = async (change: UpdateKey, key: Key) => {
    result.changed.set(key.hash, key)
    const trueNow = logged(change).filter((entry) => cameTrue(entry, key))
    await ledger.recordChanges(trueNow, key, now())
    const wrong = mismatch(change, key)
    const outcome = wrong
      ? ({ outcome: 'failed', reason: wrong } as const)
      : ({ outcome: 'updated' } as const)
    result.outcomes.push({ ...outcomeOf(change), ...outcome })
  }
  const fail = async (change: UpdateKey, error: Error) => {
    const outcome = outcomeOfFailure(error)
    if (outcome === 'in doubt' && error instanceof OpenRouterError) {
      // The change may have come true without its answer: then the key tells.
      const key = await openRouter.findKey(change.hash).catch(() => undefined)
      if (key && !mismatch(change, key)) return confirm(change, key)
      if (key) result.changed.set(key.hash, key)
    }
    if (outcome !== 'in doubt') await ledger.dropChanges([change.hash])
    result.outcomes.push({ ...outcomeOf(change), outcome, reason: error.message })
    const status = error instanceof OpenRouterError ? error.status : undefined
    if (status === 401 || status === 429) result.stoppedBy ??= error
    if (status === 403 && result.changed.size === 0) forbidden ??= error
  }
  const updateOne = async (change: UpdateKey) => {
    try {
      const answer = await openRouter.updateKey(change.hash, requested(change)).catch((error: Error) => error)
      await (answer instanceof Error ? fail(change, answer) : confirm(change, answer))
    } catch (error) {
      // Only the ledger is left to fail here: nothing more may be changed that cannot be written down.
      result.stoppedBy ??= error as Error
      result.outcomes.push({ ...outcomeOf(change), outcome: 'in doubt', reason: (error as Error).message })
    } finally {
      onProgress(result.outcomes.length)
    }
  }
  const goOn = () => !ports.stopping.aborted && !result.stoppedBy && !forbidden
  let rest = await workThrough(changes, ports.concurrency, goOn, updateOne)
  // As in createKeys: a 403 before anything was changed may be everybody's.
  if (forbidden && result.changed.size > 0) {
    forbidden = undefined
    rest = await workThrough(rest, ports.concurrency, goOn, updateOne)
  }
  result.stoppedBy ??= forbidden
  const unsent = rest.map((change) => change.hash)
  await ledger.dropChanges(unsent).catch((error: Error) => {
    result.stoppedBy ??= error
  })
  result.outcomes.push(
    ...rest.map((change): StudentOutcome => ({ ...outcomeOf(change), outcome: 'not tried' })),
  )
  return result
}

function outcomeOf({ email, name, mqId, keyName, hash }: UpdateKey) {
  return { email, name, mqId, keyName, hash }
}

function requested({ limit, disabled, limitReset }: UpdateKey): KeyChange {
  return {
    ...(limit && { limit: limit.to }),
    ...(disabled && { disabled: disabled.to }),
    ...(limitReset && { limitReset: limitReset.to }),
  }
}

/** The changelog's rows of a change. */
function logged({ hash: keyHash, limit, disabled, limitReset }: UpdateKey): Change[] {
  const rows: Change[] = []
  if (limit)
    rows.push({
      keyHash,
      action: 'update_limit',
      oldValue: limitText(limit.from),
      newValue: limitText(limit.to),
    })
  if (disabled) {
    rows.push({
      keyHash,
      action: 'update_disabled',
      oldValue: String(disabled.from),
      newValue: String(disabled.to),
    })
  }
  if (limitReset) {
    rows.push({
      keyHash,
      action: 'update_limit_reset',
      oldValue: limitReset.from,
      newValue: limitReset.to,
    })
  }
  return rows
}

/** What a key says of each action, in the words of the changelog. */
const SAYS: Record<string, (key: Key) => string | null> = {
  update_limit: ({ limit }) => limitText(limit),
  update_disabled: ({ disabled }) => String(disabled),
  update_limit_reset: ({ limitReset }) => limitReset,
}

function cameTrue({ action, newValue }: Change, key: Key): boolean {
  return newValue === SAYS[action]?.(key)
}

/** What is not as it was asked for, or undefined. */
function mismatch({ limit, disabled, limitReset }: UpdateKey, key: Key): string | undefined {
  if (limit && !sameLimit(limit.to, key.limit))
    return `OpenRouter says limit ${limitText(key.limit)} instead of ${limitText(limit.to)}`
  if (disabled && disabled.to !== key.disabled)
    return `OpenRouter says disabled ${key.disabled} instead of ${disabled.to}`
  if (limitReset && limitReset.to !== key.limitReset)
    return `OpenRouter says limit_reset ${resetText(key.limitReset)} instead of ${resetText(limitReset.to)}`
  return undefined
}
