import type { Change } from '../../db/keys.js'
import type { Key } from '../core/key.js'
import { limitText, resetText, sameLimit } from '../core/money.js'
import type { UpdateKey } from '../core/update-plan.js'
import type { KeyChange } from '../openrouter/client.js'
import type { RunPorts } from './ports.js'
import { type Sent, sendChanges } from './send-changes.js'

/** What came of changing keys. */
export interface Updates extends Sent {
  /** The keys that OpenRouter has answered about, as they are now. */
  changed: Map<string, Key>
}

/**
 * Changes keys. What is about to be sent is written down first, so that a change whose answer is lost stands in
 * the changelog once all the same. Each answer is compared with what was asked: a difference is a failure.
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
  const changed = new Map<string, Key>()
  await ledger.intendChanges(changes.flatMap(logged), now(), { offboarding })
  const sent = await sendChanges<UpdateKey, Key>(
    changes,
    {
      send: (change) => openRouter.updateKey(change.hash, requested(change)),
      lookAgain: async (change) => {
        const key = await openRouter.findKey(change.hash)
        if (key) changed.set(key.hash, key)
        return key && !mismatch(change, key) ? key : undefined
      },
      confirm: async (change, key) => {
        changed.set(key.hash, key)
        const trueNow = logged(change).filter((entry) => cameTrue(entry, key))
        await ledger.recordChanges(trueNow, key, now())
        const reason = mismatch(change, key)
        return reason === undefined ? { outcome: 'updated' } : { outcome: 'failed', reason }
      },
    },
    ports,
    onProgress,
  )
  return { ...sent, changed }
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
