import type { DeleteKey } from '../core/changes.js'
import type { StudentOutcome } from '../core/outcome.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { outcomeOfFailure } from './failure.js'
import type { RunPorts } from './ports.js'
import { workThrough } from './workers.js'

/** What came of deleting keys. */
export interface Deletions {
  outcomes: StudentOutcome[]
  /** The hashes of the keys that are gone. */
  gone: Set<string>
  /** Why no further key was deleted, where that holds for all. */
  stoppedBy?: Error
}

/**
 * Deletes keys, several at a time. What is about to be asked is written down first, so that a deletion whose
 * answer is lost is not taken for somebody else's.
 * @param onProgress is told how many are done
 */
export async function deleteKeys(
  changes: readonly DeleteKey[],
  ports: RunPorts,
  onProgress: (done: number) => void,
): Promise<Deletions> {
  const { ledger, openRouter, now } = ports
  const result: Deletions = { outcomes: [], gone: new Set() }
  await ledger.intendChanges(
    changes.map(({ hash, keyName }) => ({
      keyHash: hash,
      action: 'deleted',
      oldValue: keyName,
      newValue: null,
    })),
    now(),
  )
  const deleteOne = async (change: DeleteKey) => {
    const { kind: _, ...of } = change
    const error = await openRouter.deleteKey(change.hash).catch((reason: Error) => reason)
    const outcome = error ? outcomeOfFailure(error) : undefined
    // A deletion may have come true without its answer: then the key tells.
    const isGone =
      !error ||
      (outcome === 'in doubt' && (await openRouter.findKey(change.hash).catch(() => null)) === undefined)
    if (isGone) {
      result.gone.add(change.hash)
      await ledger.recordDeletion(change.hash, change.keyName, now())
      result.outcomes.push({ ...of, outcome: 'deleted' })
      return
    }
    if (outcome !== 'in doubt') await ledger.dropChanges([change.hash])
    result.outcomes.push({ ...of, outcome: outcome ?? 'failed', reason: error.message })
    const status = error instanceof OpenRouterError ? error.status : undefined
    if (status === 401 || status === 429 || (status === 403 && result.gone.size === 0))
      result.stoppedBy ??= error
  }
  const rest = await workThrough(
    changes,
    ports.concurrency,
    () => !ports.stopping.aborted && !result.stoppedBy,
    async (change) => {
      try {
        await deleteOne(change)
      } catch (error) {
        // Only the ledger is left to fail here: nothing more may be deleted that cannot be written down.
        result.stoppedBy ??= error as Error
      } finally {
        onProgress(result.outcomes.length)
      }
    },
  )
  await ledger.dropChanges(rest.map(({ hash }) => hash)).catch((error: Error) => {
    result.stoppedBy ??= error
  })
  result.outcomes.push(...rest.map(({ kind: _, ...of }): StudentOutcome => ({ ...of, outcome: 'not tried' })))
  return result
}
