import type { KeyRef } from '../core/changes.js'
import type { StudentOutcome } from '../core/outcome.js'
import { OpenRouterError } from '../openrouter/errors.js'
import { outcomeOfFailure } from './failure.js'
import type { RunPorts } from './ports.js'
import { workThrough } from './workers.js'

/** What one kind of change is made of. */
export interface Sending<Change extends KeyRef, Answer> {
  /** Writes down what is about to be sent, all of it. */
  intend: () => Promise<void>
  send: (change: Change) => Promise<Answer>
  /** After no answer came: what OpenRouter would have said, where the change has come true all the same. */
  lookAgain: (change: Change) => Promise<Answer | undefined>
  /** Writes down what OpenRouter has answered, and tells what came of the change. */
  confirm: (change: Change, answer: Answer) => Promise<Pick<StudentOutcome, 'outcome' | 'reason'>>
}

/** What came of sending changes. */
export interface Sent {
  outcomes: StudentOutcome[]
  /** Why no further change was sent, where that holds for all. */
  stoppedBy?: Error
}

/**
 * Sends one request for each change, several at a time. What is about to be sent is written into the ledger first, and
 * dropped from it where OpenRouter has refused it or was never asked. One refusal does not stop the others, unless it
 * would be everybody's. Whatever fails, what was done is given back.
 * @param onProgress is told how many changes are done
 */
export async function sendChanges<Change extends KeyRef, Answer>(
  changes: readonly Change[],
  { intend, send, lookAgain, confirm }: Sending<Change, Answer>,
  ports: RunPorts,
  onProgress: (done: number) => void,
): Promise<Sent> {
  const { ledger } = ports
  const result: Sent = { outcomes: [] }
  let answered = 0
  let forbidden: Error | undefined
  const conclude = async (change: Change, answer: Answer) => {
    answered++
    result.outcomes.push({ ...outcomeOf(change), ...(await confirm(change, answer)) })
  }
  const fail = async (change: Change, error: Error) => {
    const outcome = outcomeOfFailure(error)
    if (outcome === 'in doubt' && error instanceof OpenRouterError) {
      const answer = await lookAgain(change).catch(() => undefined)
      if (answer !== undefined) return conclude(change, answer)
    }
    if (outcome !== 'in doubt') await ledger.dropChanges([change.hash])
    result.outcomes.push({ ...outcomeOf(change), outcome, reason: error.message })
    const status = error instanceof OpenRouterError ? error.status : undefined
    if (status === 401 || status === 429) result.stoppedBy ??= error
    if (status === 403 && answered === 0) forbidden ??= error
  }
  const sendOne = async (change: Change) => {
    try {
      let answer: Answer
      try {
        answer = await send(change)
      } catch (error) {
        return await fail(change, error as Error)
      }
      await conclude(change, answer)
    } catch (error) {
      // Only the ledger is left to fail here: nothing more may be changed that cannot be written down.
      result.stoppedBy ??= error as Error
      result.outcomes.push({ ...outcomeOf(change), outcome: 'in doubt', reason: (error as Error).message })
    } finally {
      onProgress(result.outcomes.length)
    }
  }
  const goOn = () => !ports.stopping.aborted && !result.stoppedBy && !forbidden
  if (changes.length === 0) return result
  await intend().catch((error: Error) => {
    result.stoppedBy = error
  })
  let rest = await workThrough(changes, ports.concurrency, goOn, sendOne)
  // As in createKeys: a 403 before anything was changed may be everybody's.
  if (forbidden && answered > 0) {
    forbidden = undefined
    rest = await workThrough(rest, ports.concurrency, goOn, sendOne)
  }
  result.stoppedBy ??= forbidden
  await ledger.dropChanges(rest.map(({ hash }) => hash)).catch((error: Error) => {
    result.stoppedBy ??= error
  })
  result.outcomes.push(
    ...rest.map((change): StudentOutcome => ({ ...outcomeOf(change), outcome: 'not tried' })),
  )
  return result
}

function outcomeOf({ email, name, mqId, keyName, hash }: KeyRef) {
  return { email, name, mqId, keyName, hash }
}
