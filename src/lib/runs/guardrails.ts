import type { Ledger } from '../../db/ledger.js'
import type { UnassignedKey } from '../core/changes.js'
import type { GuardrailRef } from '../core/creation.js'
import { UsageError } from '../core/errors.js'
import type { OpenRouter } from '../openrouter/client.js'
import { OpenRouterError } from '../openrouter/errors.js'
import type { RunPorts } from './ports.js'

/** So many keys are assigned with one request at most. */
const MOST_AT_ONCE = 500

/**
 * Finds a guardrail of the workspace.
 * @param words its name or id
 * @throws UsageError `no_such_guardrail`; OpenRouterError
 */
export async function findGuardrail(openRouter: OpenRouter, words: string): Promise<GuardrailRef> {
  const all = await openRouter.guardrails()
  const byId = all.filter(({ id }) => id === words)
  const named = all.filter(({ name }) => name.toLowerCase() === words.toLowerCase())
  const [found, ...others] = byId.length > 0 ? byId : named
  if (found && others.length === 0) return { id: found.id, name: found.name }
  if (found) {
    const ids = named.map(({ id }) => id).join(', ')
    throw new UsageError(
      'no_such_guardrail',
      `${named.length} guardrails are called ${words}: name one by its id: ${ids}.`,
    )
  }
  const names = all.map(({ name }) => name).join(', ')
  const there = all.length === 0 ? 'There are none in this workspace.' : `There are: ${names}.`
  throw new UsageError('no_such_guardrail', `There is no guardrail ${words}. ${there}`)
}

/**
 * Which key has which guardrail, with the names of those of the workspace. An account that knows no guardrails, or
 * cannot list who has which, answers 404: then only what this ledger has assigned is known.
 */
export async function guardrailsOfKeys(
  openRouter: OpenRouter,
  ledger: Ledger,
): Promise<Map<string, GuardrailRef>> {
  const all = await openRouter.guardrails().catch(noneIfUnknown)
  if (!all || all.length === 0) return new Map()
  const assignments = await openRouter.guardrailAssignments().catch(noneIfUnknown)
  if (!assignments) return ledger.guardrailsOfKeys()
  const names = new Map(all.map(({ id, name }) => [id, name]))
  return new Map([...assignments].map(([hash, id]) => [hash, { id, name: names.get(id) ?? id }]))
}

function noneIfUnknown(error: unknown): undefined {
  if (error instanceof OpenRouterError && error.status === 404) return undefined
  throw error
}

/** What came of assigning guardrails. */
export interface Assigned {
  /** The keys that have theirs now. */
  assigned: Set<string>
  /** The keys that have not, and why. */
  failed: Map<string, string>
  /** Why nothing more is to be tried: the ledger could not be written. */
  stoppedBy?: Error
}

/**
 * Gives keys their guardrails, in bulk. OpenRouter leaves out what it does not know and only says how many it has
 * assigned: where that is not all, it is asked which.
 */
export async function assignGuardrails(
  wishes: readonly UnassignedKey[],
  { openRouter, ledger, now, stopping }: RunPorts,
): Promise<Assigned> {
  const result: Assigned = { assigned: new Set(), failed: new Map() }
  try {
    for (const { guardrail, hashes } of batches(wishes)) {
      if (stopping.aborted) {
        for (const hash of hashes) result.failed.set(hash, 'interrupted before it was assigned')
        continue
      }
      const done = await assign(openRouter, guardrail, hashes)
      await ledger.recordAssigned([...done.assigned], guardrail, now())
      for (const hash of hashes) {
        if (done.assigned.has(hash)) result.assigned.add(hash)
        else result.failed.set(hash, `there is a key, but not its guardrail ${guardrail.name}: ${done.why}`)
      }
    }
  } catch (error) {
    result.stoppedBy = error as Error
  }
  return result
}

async function assign(openRouter: OpenRouter, { id }: GuardrailRef, hashes: readonly string[]) {
  const none: ReadonlySet<string> = new Set()
  try {
    const count = await openRouter.assignGuardrail(id, hashes)
    if (count === hashes.length) return { assigned: new Set(hashes), why: '' }
    const why = `OpenRouter has assigned ${count} of ${hashes.length}`
    const all = await openRouter.guardrailAssignments().catch(() => undefined)
    if (!all) return { assigned: none, why: `${why}, and does not say which` }
    return { assigned: new Set(hashes.filter((hash) => all.get(hash) === id)), why }
  } catch (error) {
    const isGone = error instanceof OpenRouterError && error.status === 404
    const gone = 'it is gone from OpenRouter. class-keys provision --guardrail gives these keys another one'
    return { assigned: none, why: isGone ? gone : (error as Error).message }
  }
}

function batches(waiting: readonly UnassignedKey[]) {
  const byId = new Map<string, { guardrail: GuardrailRef; hashes: string[] }>()
  for (const { hash, guardrail } of waiting) {
    const batch = byId.get(guardrail.id) ?? { guardrail, hashes: [] }
    batch.hashes.push(hash)
    byId.set(guardrail.id, batch)
  }
  return [...byId.values()].flatMap(({ guardrail, hashes }) =>
    Array.from({ length: Math.ceil(hashes.length / MOST_AT_ONCE) }, (_, i) => ({
      guardrail,
      hashes: hashes.slice(i * MOST_AT_ONCE, (i + 1) * MOST_AT_ONCE),
    })),
  )
}
