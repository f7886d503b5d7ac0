import type { Key } from '../core/key.js'
import { mqIdKey } from '../core/key-name.js'
import type { StudentOutcome } from '../core/outcome.js'
import {
  type CreateKey,
  type DeleteLostKey,
  type ProvisionInput,
  type ProvisionPlan,
  planProvision,
} from '../core/provision-plan.js'
import type { Person } from '../core/student.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { createKeys } from './create-keys.js'
import type { RunPorts } from './ports.js'
import { workThrough } from './workers.js'

/** What came of applying a plan, round after round. */
export interface ProvisionRun {
  /** One for each student that the plans wanted to change. */
  outcomes: StudentOutcome[]
  /** The lost keys that were deleted. */
  deleted: DeleteLostKey[]
  /** Everything in OpenRouter as far as the run knows when it ends. */
  keys: Key[]
  /** What is left alone because it does not fit exactly. */
  leftAlone: ProvisionPlan['leftAlone']
  /** Why the run ended before its time, where it did. */
  stoppedBy?: Error
}

/** A creation that stays without an answer so often is left to the next run. */
const MOST_ROUNDS = 4
/** A request whose answer was lost may still be at work: it gets this long before the listing is believed. */
const SETTLE_MS = 500

/**
 * Applies a plan. Where answers were lost, the listing is read again, a new plan is made from it, and that is
 * applied too: the same step that heals what an earlier run has left behind.
 * @param plan what was planned from `input`, and shown
 * @param onProgress is told how many of how many students are done
 */
export async function runProvision(
  plan: ProvisionPlan,
  input: Omit<ProvisionInput, 'creations' | 'secretHere'>,
  ports: RunPorts,
  onProgress: (done: number, total: number) => void,
): Promise<ProvisionRun> {
  const people = new Map<string, Person>(input.students.map((student) => [student.mqId, student]))
  const outcomes = new Map<string, StudentOutcome>()
  const run: ProvisionRun = { outcomes: [], deleted: [], keys: [...input.keys], leftAlone: plan.leftAlone }
  let round = plan
  for (let n = 1; ; n++) {
    const undone = await undoLost(round, run.keys, ports)
    run.deleted.push(...undone.deleted)
    run.keys = run.keys.filter((key) => !undone.deleted.some(({ hash }) => hash === key.hash))
    run.stoppedBy ??= undone.stoppedBy
    for (const outcome of undone.failed) outcomes.set(mqIdKey(outcome.mqId), outcome)
    const creates = round.changes.filter(
      (change): change is CreateKey =>
        change.kind === 'create' && outcomes.get(mqIdKey(change.mqId))?.outcome !== 'failed',
    )
    if (run.stoppedBy) {
      for (const { email, name, mqId, keyName } of creates) {
        if (!outcomes.has(mqIdKey(mqId)))
          outcomes.set(mqIdKey(mqId), { email, name, mqId, keyName, outcome: 'not tried' })
      }
      break
    }
    const creations = await createKeys(creates, people, ports, (done) => onProgress(done, creates.length))
    run.keys = [...creations.made, ...run.keys]
    run.stoppedBy ??= creations.stoppedBy
    for (const outcome of creations.outcomes) outcomes.set(mqIdKey(outcome.mqId), outcome)
    const doubts = creations.outcomes.some(({ outcome }) => outcome === 'in doubt')
    if (run.stoppedBy || ports.stopping.aborted || n === MOST_ROUNDS || !(doubts || round.absent.length > 0))
      break
    try {
      round = await nextRound(input, outcomes, doubts, ports, run)
    } catch (error) {
      run.stoppedBy = error as Error
      break
    }
    run.leftAlone = round.leftAlone
    if (round.changes.length + round.absent.length + round.undone.length === 0) break
  }
  run.outcomes = [...outcomes.values()].map((outcome) => healed(outcome, run.deleted))
  return run
}

/** Waits, and not any longer once the run is to end. */
function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    const stop = () => {
      clearTimeout(timer)
      resolve()
    }
    if (stopping.aborted) stop()
    stopping.addEventListener('abort', stop, { once: true })
  })
}

/** Reads the listing again and plans what is still to do, without those whom OpenRouter has refused. */
async function nextRound(
  input: Omit<ProvisionInput, 'creations' | 'secretHere'>,
  outcomes: ReadonlyMap<string, StudentOutcome>,
  doubts: boolean,
  { ledger, openRouter, stopping }: RunPorts,
  run: ProvisionRun,
): Promise<ProvisionPlan> {
  if (doubts) await pause(SETTLE_MS, stopping)
  run.keys = await openRouter.listKeys()
  return planProvision({
    ...input,
    students: input.students.filter((student) => outcomes.get(mqIdKey(student.mqId))?.outcome !== 'failed'),
    keys: run.keys,
    creations: await ledger.unsettledCreations(),
    secretHere: await ledger.secretHashes(),
  })
}

/** Brings the journal to what the listing has shown, and deletes the lost keys, each written down before and after. */
async function undoLost(plan: ProvisionPlan, keys: readonly Key[], ports: RunPorts) {
  const { ledger, openRouter, now } = ports
  const deleted: DeleteLostKey[] = []
  const failed: StudentOutcome[] = []
  let stoppedBy: Error | undefined
  const byHash = new Map(keys.map((key) => [key.hash, key]))
  const lost = plan.changes.filter((change): change is DeleteLostKey => change.kind === 'delete-lost')
  try {
    await ledger.closeEmptyCreations(plan.absent, 'absent', now())
    await ledger.finishUndoing(plan.undone, now())
    await workThrough(
      lost,
      ports.concurrency,
      () => !ports.stopping.aborted && !stoppedBy,
      async (change) => {
        try {
          const key = byHash.get(change.hash)
          if (key) await ledger.startUndoing(change.creationId, key, now())
          await openRouter.deleteKey(change.hash)
          await ledger.finishUndoing([change.creationId], now())
          deleted.push(change)
        } catch (error) {
          // One key that cannot be deleted stops nobody but its student, who would have two otherwise.
          if (isOnlyTheirs(error)) failed.push(undeleted(change, error))
          else stoppedBy ??= error as Error
        }
      },
    )
  } catch (error) {
    stoppedBy = error as Error
  }
  return { deleted, failed, stoppedBy }
}

function isOnlyTheirs(error: unknown): error is OpenRouterError {
  return (
    error instanceof OpenRouterError && ![401, 429].includes(error.status ?? 0) && error.code !== 'not_sent'
  )
}

function undeleted({ email, name, mqId, keyName }: DeleteLostKey, error: Error): StudentOutcome {
  const reason = `the key of a broken creation could not be deleted, so no new one was made: ${error.message}`
  return { email, name, mqId, keyName, outcome: 'failed', reason }
}

/** A new key in the place of one whose secret was lost is a student healed. */
function healed(outcome: StudentOutcome, deleted: readonly DeleteLostKey[]): StudentOutcome {
  const lost = deleted.some((change) => mqIdKey(change.mqId) === mqIdKey(outcome.mqId))
  return lost && outcome.outcome === 'created' ? { ...outcome, outcome: 'healed' } : outcome
}
