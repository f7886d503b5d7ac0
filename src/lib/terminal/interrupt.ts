import { ClassKeysError, type ExitCode } from '../core/errors.js'

/** What Ctrl-C and SIGTERM mean for a run. */
export interface Interrupt {
  /** Start nothing new. */
  stopping: AbortSignal
  /** Give up on what is under way. */
  givingUp: AbortSignal
  /** 128 plus the signal's number once a signal has come, as a shell expects; undefined before. */
  exitCode(): ExitCode | undefined
  /** Waits for work that changes nothing, and not any longer once a signal has come: throws `interrupted`. */
  orStop<T>(work: Promise<T>): Promise<T>
  /** Stops listening, so that signals end the process as ever. */
  dispose(): void
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
/** What is under way when the signal comes has this long to come home. */
const GRACE_MS = 5_000

/**
 * Listens for signals: the first one ends the run in good order, the second one at once.
 * @param onFirst is told of the first one
 */
export function listenForInterrupts(onFirst = (): void => {}): Interrupt {
  const stopping = new AbortController()
  const givingUp = new AbortController()
  let code: ExitCode | undefined
  let timer: NodeJS.Timeout | undefined
  const listener = (signal: NodeJS.Signals) => {
    if (code !== undefined) process.exit(code)
    code = EXIT_CODES[signal as keyof typeof EXIT_CODES]
    stopping.abort()
    timer = setTimeout(() => givingUp.abort(), GRACE_MS)
    onFirst()
  }
  const signals = Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[]
  for (const signal of signals) process.on(signal, listener)
  return {
    stopping: stopping.signal,
    givingUp: givingUp.signal,
    exitCode: () => code,
    orStop: (work) =>
      Promise.race([
        work,
        new Promise<never>((_, reject) => {
          const stop = () =>
            reject(new ClassKeysError('interrupted', 'Interrupted; nothing was changed.', code))
          if (stopping.signal.aborted) stop()
          stopping.signal.addEventListener('abort', stop, { once: true })
        }),
      ]),
    dispose: () => {
      clearTimeout(timer)
      // Whatever is still under way once the run has ended must not keep the process.
      if (code !== undefined) givingUp.abort()
      for (const signal of signals) process.off(signal, listener)
    },
  }
}

/** Waits for the first signal that asks the process to end. */
export function untilSignal(): Promise<void> {
  const signals = Object.keys(EXIT_CODES)
  return new Promise((resolve) => {
    const end = () => {
      for (const signal of signals) process.off(signal, end)
      resolve()
    }
    for (const signal of signals) process.on(signal, end)
  })
}
