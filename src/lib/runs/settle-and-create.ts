import type { CreateKey, DeleteLostKey, PlannedChange } from '../core/changes.js'
import type { Creation } from '../core/creation.js'
import type { LeftAlone, Settled } from '../core/doubt.js'
import type { Key } from '../core/key.js'
import { mqIdKey } from '../core/key-name.js'
import type { StudentOutcome } from '../core/outcome.js'
import type { Person } from '../core/student.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { createKeys } from './create-keys.js'
import type { RunPorts } from './ports.js'
import { workThrough } from './workers.js'

/** What all plans have in common that settle creations in doubt, and may make keys. */
export interface CreationPlan extends Settled {
  changes: readonly PlannedChange[]
}

/** What a plan is made from anew in each round. */
export interface Known {
  /** Everything in OpenRouter, disabled keys included. */
  keys: Key[]
  /** Journal entries that are open, being undone, or held absent. */
  creations: Creation[]
  /** Hashes of the keys whose secret is in the ledger. */
  secretHere: Set<string>
}

/** How a run goes on after its first round. */
export interface Replan {
  /** Everybody whose key may be made, by MQ ID as the plan spells it. */
  people: ReadonlyMap<string, Person>
  /** Plans what is still to do, without the students whom OpenRouter has refused (in the form of `mqIdKey`). */
  replan: (known: Known, refused: ReadonlySet<string>) => Promise<CreationPlan>
}

/** What came of applying a plan, round after round. */
export interface Creations {
  /** One for each student that the plans wanted to change. */
  outcomes: StudentOutcome[]
  /** The lost keys that were deleted. */
  deleted: DeleteLostKey[]
  /** Everything in OpenRouter as far as the run knows when it ends. */
  keys: Key[]
  /** What is left alone because it does not fit exactly. */
  leftAlone: LeftAlone[]
  /** Why the run ended before its time, where it did. */
  stoppedBy?: Error
}

/** Nothing was made. */
export const NOTHING_CREATED: Creations = { outcomes: [], deleted: [], keys: [], leftAlone: [] }

/** A creation that stays without an answer so often is left to the next run. */
const MOST_ROUNDS = 4
/** A request whose answer was lost may still be at work: it gets this long before the listing is believed. */
const SETTLE_MS = 500
/** And this long before it is believed for good: whoever was given another key would have two otherwise. */
const LATE_MS = 5_000

/**
 * Settles what is in doubt, and makes the keys of a plan; its other changes are left to the caller. Where answers were
 * lost, the listing is read again, a new plan is made from it, and that is applied too: the same step that heals what
 * an earlier run has left behind.
 * @param plan what was planned from `keys`, and shown
 * @param onProgress is told how many of how many students are done
 */
export async function settleAndCreate(
  plan: CreationPlan,
  keys: readonly Key[],
  { people, replan }: Replan,
  ports: RunPorts,
  onProgress: (done: number, total: number) => void,
): Promise<Creations> {
  const outcomes = new Map<string, StudentOutcome>()
  const run: Creations = { outcomes: [], deleted: [], keys: [...keys], leftAlone: plan.leftAlone }
  let round = plan
  let doubted = false
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
    const made = await createKeys(creates, people, ports, (done) => onProgress(done, creates.length))
    run.keys = [...made.made, ...run.keys]
    run.stoppedBy ??= made.stoppedBy
    for (const outcome of made.outcomes) outcomes.set(mqIdKey(outcome.mqId), outcome)
    const doubts = made.outcomes.some(({ outcome }) => outcome === 'in doubt')
    if (run.stoppedBy || ports.stopping.aborted) break
    const goesOn = n < MOST_ROUNDS && (doubts || round.absent.length > 0)
    if (!goesOn && (doubts || !doubted)) break
    doubted = goesOn && (doubts || doubted)
    try {
      await pause(goesOn ? (doubts ? SETTLE_MS : 0) : LATE_MS, ports.stopping)
      const known = await readAgain(ports)
      run.keys = known.keys
      round = await replan(known, refused(outcomes))
    } catch (error) {
      run.stoppedBy = error as Error
      break
    }
    run.leftAlone = round.leftAlone
    const isSettled = !round.changes.some(isForThisRun) && round.absent.length + round.undone.length === 0
    if (isSettled && !doubted) break
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

/** Reads the listing and the journal again. */
async function readAgain({ ledger, openRouter }: RunPorts): Promise<Known> {
  return {
    keys: await openRouter.listKeys(),
    creations: await ledger.unsettledCreations(),
    secretHere: await ledger.secretHashes(),
  }
}

function refused(outcomes: ReadonlyMap<string, StudentOutcome>): Set<string> {
  return new Set([...outcomes].flatMap(([mqId, { outcome }]) => (outcome === 'failed' ? [mqId] : [])))
}

function isForThisRun({ kind }: PlannedChange): boolean {
  return kind === 'create' || kind === 'delete-lost'
}

/** Brings the journal to what the listing has shown, and deletes the lost keys, each written down before and after. */
async function undoLost(plan: CreationPlan, keys: readonly Key[], ports: RunPorts) {
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
