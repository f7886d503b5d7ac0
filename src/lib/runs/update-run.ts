import type { Change } from '../../db/keys.js'
import type { Key } from '../core/key.js'
import { type Limit, limitText, sameLimit } from '../core/money.js'
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
 */
export async function updateKeys(
  changes: readonly UpdateKey[],
  ports: RunPorts,
  onProgress: (done: number) => void,
): Promise<Updates> {
  const { ledger, openRouter, now } = ports
  const result: Updates = { outcomes: [], changed: new Map() }
  let forbidden: Error | undefined
  await ledger.intendChanges(changes.flatMap(logged), now())
  const updateOne = async (change: UpdateKey) => {
    const student = outcomeOf(change)
    try {
      const key = await openRouter.updateKey(change.hash, requested(change))
      result.changed.set(key.hash, key)
      const wrong = mismatch(change, key)
      await ledger.recordChanges(
        logged(change).filter((entry) => cameTrue(entry, key)),
        key,
        now(),
      )
      result.outcomes.push(
        wrong ? { ...student, outcome: 'failed', reason: wrong } : { ...student, outcome: 'updated' },
      )
    } catch (error) {
      const outcome = outcomeOfFailure(error)
      result.outcomes.push({ ...student, outcome, reason: (error as Error).message })
      if (!(error instanceof OpenRouterError)) result.stoppedBy ??= error as Error
      else if (outcome !== 'in doubt')
        await ledger.dropChanges(change.hash).catch((e: Error) => (result.stoppedBy ??= e))
      const status = error instanceof OpenRouterError ? error.status : undefined
      if (status === 401 || status === 429) result.stoppedBy ??= error as Error
      if (status === 403 && result.changed.size === 0) forbidden ??= error as Error
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
  result.outcomes.push(
    ...rest.map((change): StudentOutcome => ({ ...outcomeOf(change), outcome: 'not tried' })),
  )
  return result
}

function outcomeOf({ email, name, mqId, keyName, hash }: UpdateKey) {
  return { email, name, mqId, keyName, hash }
}

function requested({ limit, disabled }: UpdateKey): KeyChange {
  return { ...(limit && { limit: limit.to }), ...(disabled && { disabled: disabled.to }) }
}

/** The changelog's rows of a change. */
function logged({ hash: keyHash, limit, disabled }: UpdateKey): Change[] {
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
  return rows
}

function cameTrue(entry: Change, key: Key): boolean {
  return entry.newValue === (entry.action === 'update_limit' ? limitText(key.limit) : String(key.disabled))
}

/** What is not as it was asked for, or undefined. */
function mismatch({ limit, disabled }: UpdateKey, key: Key): string | undefined {
  const words = (value: Limit) => limitText(value)
  if (limit && !sameLimit(limit.to, key.limit))
    return `OpenRouter says limit ${words(key.limit)} instead of ${words(limit.to)}`
  if (disabled && disabled.to !== key.disabled)
    return `OpenRouter says disabled ${key.disabled} instead of ${disabled.to}`
  return undefined
}
