import type { Change } from '../../db/keys.js'
import type { UpdateKey } from '../core/changes.js'
import type { Key } from '../core/key.js'
import { limitText, resetText, sameLimit } from '../core/money.js'
import type { KeyChange } from '../openrouter/client.js'
import type { RunPorts } from './ports.js'
import { type Sent, sendChanges } from './send-changes.js'

/** What came of changing keys. */
export interface Updates extends Sent {
  /** The keys that OpenRouter has answered about, as they are now. */
  changed: Map<string, Key>
}

/** Nothing was changed. */
export const NOTHING_UPDATED: Updates = { outcomes: [], changed: new Map() }

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
  const sent = await sendChanges<UpdateKey, Key>(
    changes,
    {
      intend: () => ledger.intendChanges(changes.flatMap(logged), now(), { offboarding }),
      send: (change) => openRouter.updateKey(change.hash, requested(change)),
      lookAgain: async (change) => {
        const key = await openRouter.findKey(change.hash)
        if (key) changed.set(key.hash, key)
        return key && !mismatch(change, key) ? key : undefined
      },
      confirm: async (change, key) => {
        if (key.hash !== change.hash)
          return { outcome: 'failed', reason: 'OpenRouter answered about another key' }
        changed.set(key.hash, key)
        await ledger.recordChanges(cameTrue(change, key), key, now())
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

/** The changelog's rows of what a change has come to, which may be something else than was asked for. */
function cameTrue(change: UpdateKey, { limit, disabled, limitReset }: Key): Change[] {
  const { limit: ofLimit, disabled: ofDisabled, limitReset: ofReset } = change
  return logged({
    ...change,
    ...(ofLimit && { limit: { from: ofLimit.from, to: limit } }),
    ...(ofDisabled && { disabled: { from: ofDisabled.from, to: disabled } }),
    ...(ofReset && { limitReset: { from: ofReset.from, to: limitReset } }),
  }).filter(({ oldValue, newValue }) => oldValue !== newValue)
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
