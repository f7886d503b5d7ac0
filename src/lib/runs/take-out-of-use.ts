import { asUpdate, type DeleteKey, type DisableKey } from '../core/changes.js'
import type { Key } from '../core/key.js'
import type { StudentOutcome } from '../core/outcome.js'
import { deleteKeys } from './delete-keys.js'
import type { RunPorts } from './ports.js'
import { updateKeys } from './update-run.js'

/** What came of taking keys out of use. */
export interface TakenOut {
  outcomes: StudentOutcome[]
  /** The hashes of the keys that are disabled or gone. */
  done: string[]
  /** Keys as they are now. */
  now(keys: readonly Key[]): Key[]
  /** Why nothing further was taken out of use, where that holds for all. */
  stoppedBy?: Error
}

/** Nothing was taken out of use. */
export const NOTHING_TAKEN_OUT: TakenOut = { outcomes: [], done: [], now: (keys) => [...keys] }

/**
 * Disables keys, then deletes keys.
 * @param onProgress is told how many are done
 * @param options whether the keys that are disabled are those of students who have left
 */
export async function takeOutOfUse(
  changes: readonly (DisableKey | DeleteKey)[],
  ports: RunPorts,
  onProgress: (done: number) => void,
  options: { offboarding: boolean },
): Promise<TakenOut> {
  const disables = changes.flatMap((change) => (change.kind === 'disable' ? [asUpdate(change)] : []))
  const deletes = changes.filter((change): change is DeleteKey => change.kind === 'delete')
  const disabled = await updateKeys(disables, ports, onProgress, options)
  const outcomes = disabled.outcomes.map(
    (outcome): StudentOutcome =>
      outcome.outcome === 'updated' ? { ...outcome, outcome: 'disabled' } : outcome,
  )
  const isOver = disabled.stoppedBy !== undefined || ports.stopping.aborted
  const { gone, ...deleted } = await deleteKeys(isOver ? [] : deletes, ports, (done) =>
    onProgress(disables.length + done),
  )
  const stoppedBy = disabled.stoppedBy ?? deleted.stoppedBy
  return {
    outcomes: [...outcomes, ...deleted.outcomes],
    done: [
      ...outcomes.flatMap(({ outcome, hash }) => (outcome === 'disabled' && hash ? [hash] : [])),
      ...gone,
    ],
    now: (keys) =>
      keys.filter((key) => !gone.has(key.hash)).map((key) => disabled.changed.get(key.hash) ?? key),
    ...(stoppedBy && { stoppedBy }),
  }
}
