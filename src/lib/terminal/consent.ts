import { ClassKeysError, DeclinedError } from '../core/errors.js'
import { type Agreed, graveWords, needsYes, refuseMassive, type Safety } from '../core/safety.js'
import type { Interrupt } from './interrupt.js'

/** What consent depends on beside the plan. */
export interface ConsentOptions extends Agreed {
  /** Whether the command asks even about a routine plan. */
  always: boolean
  /** Whether somebody may be asked at all: not where `--json` was asked for. */
  mayAsk: boolean
}

/**
 * Makes sure that a plan is what a person wants, before anything of it is applied: a massive one has to be
 * forced, and a grave one agreed to, in a terminal by a yes, elsewhere by `--yes`.
 * @throws ClassKeysError `too_many_changes`, `not_confirmed` or `interrupted`; DeclinedError
 */
export async function askConsent(
  safety: Safety,
  { always, mayAsk, ...agreed }: ConsentOptions,
  interrupt: Interrupt,
): Promise<void> {
  refuseMassive(safety, agreed)
  if (!needsYes(safety, agreed, always)) return
  const grave = graveWords(safety)
  if (!mayAsk || !process.stdin.isTTY || !process.stderr.isTTY) {
    const what = grave === '' ? 'This plan has to be agreed to' : `This plan ${grave}`
    throw new ClassKeysError(
      'not_confirmed',
      `${what}, and nobody can be asked here. Nothing was changed. Look at it with --dry-run; if it is what you want, run the same command with --yes.`,
      4,
    )
  }
  const question = grave === '' ? 'Apply this plan?' : `This plan ${grave}. Apply it?`
  if (await ask(`${question} [y/N] `, interrupt)) return
  throw new DeclinedError()
}

async function ask(question: string, interrupt: Interrupt): Promise<boolean> {
  // Loaded here alone: most runs ask nothing.
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  // In a terminal Ctrl-C reaches whoever reads the keyboard: it means the same as ever.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
  const ended = new Promise<undefined>((resolve) => terminal.on('close', () => resolve(undefined)))
  let answer: string | undefined
  try {
    answer = await interrupt.orStop(Promise.race([terminal.question(question), ended]))
    return /^y(es)?$/i.test(answer?.trim() ?? '')
  } finally {
    terminal.close()
    // Ctrl-D leaves the cursor behind the question; after a signal a new line is begun anyway.
    if (answer === undefined && !interrupt.stopping.aborted) process.stderr.write('\n')
  }
}
