import type { Change } from '../../db/keys.js'
import type { Key } from '../core/key.js'
import { type Limit, limitText, sameLimit } from '../core/money.js'
import type { StudentOutcome } from '../core/outcome.js'
import type { UpdateKey } from '../core/update-plan.js'
import type { KeyChange } from '../openrouter/client.js'
import { OpenRouterError } from '../openrouter/errors.js'
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
      const refused = error instanceof OpenRouterError && error.provesNothingDone
      const outcome = refused ? 'failed' : 'in doubt'
      result.outcomes.push({ ...student, outcome, reason: (error as Error).message })
      if (!(error instanceof OpenRouterError)) result.stoppedBy ??= error as Error
      else if (refused) await ledger.dropChanges(change.hash).catch((e: Error) => (result.stoppedBy ??= e))
      if (isEverybodys(error, result.changed.size)) result.stoppedBy ??= error as Error
    } finally {
      onProgress(result.outcomes.length)
    }
  }
  const goOn = () => !ports.stopping.aborted && !result.stoppedBy
  const rest = await workThrough(changes, ports.concurrency, goOn, updateOne)
  result.outcomes.push(
    ...rest.map((change): StudentOutcome => ({ ...outcomeOf(change), outcome: 'not tried' })),
  )
  return result
}

/** Whether what was refused to one student would be refused to all. */
function isEverybodys(error: unknown, done: number): boolean {
  if (!(error instanceof OpenRouterError)) return false
  return error.status === 429 || (done === 0 && (error.status === 401 || error.status === 403))
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
