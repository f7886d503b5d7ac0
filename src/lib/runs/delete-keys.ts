import type { DeleteKey } from '../core/changes.js'
import type { RunPorts } from './ports.js'
import { type Sent, sendChanges } from './send-changes.js'

/** What came of deleting keys. */
export interface Deletions extends Sent {
  /** The hashes of the keys that are gone. */
  gone: Set<string>
}

/**
 * Deletes keys. What is about to be asked is written down first, so that a deletion whose answer is lost is not taken
 * for somebody else's.
 * @param onProgress is told how many are done
 */
export async function deleteKeys(
  changes: readonly DeleteKey[],
  ports: RunPorts,
  onProgress: (done: number) => void,
): Promise<Deletions> {
  const { ledger, openRouter, now } = ports
  const gone = new Set<string>()
  const intended = changes.map(({ hash: keyHash, keyName: oldValue }) => ({
    keyHash,
    action: 'deleted',
    oldValue,
    newValue: null,
  }))
  const sent = await sendChanges<DeleteKey, true>(
    changes,
    {
      intend: () => ledger.intendChanges(intended, now()),
      send: async ({ hash }) => {
        await openRouter.deleteKey(hash)
        return true
      },
      lookAgain: async ({ hash }) => ((await openRouter.findKey(hash)) ? undefined : true),
      confirm: async ({ hash, keyName }) => {
        gone.add(hash)
        await ledger.recordDeletion(hash, keyName, now())
        return { outcome: 'deleted' }
      },
    },
    ports,
    onProgress,
  )
  return { ...sent, gone }
}
