import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Interrupt, listenForInterrupts, untilSignal } from '../../src/lib/terminal/interrupt.js'

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

let before: Map<Signal, NodeJS.SignalsListener[]>
let interrupt: Interrupt | undefined

/** The listeners that were added since the test began. */
const listeners = (signal: Signal) =>
  (process.listeners(signal) as NodeJS.SignalsListener[]).filter(
    (listener) => !before.get(signal)?.includes(listener),
  )
/** Sends a signal to those listeners alone: the test runner has some of its own. */
const send = (signal: Signal) => {
  for (const listener of listeners(signal)) listener(signal)
}

beforeEach(() => {
  vi.useFakeTimers()
  before = new Map(SIGNALS.map((signal) => [signal, process.listeners(signal) as NodeJS.SignalsListener[]]))
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Error(`exit ${code}`)
  })
})
afterEach(() => {
  interrupt?.dispose()
  for (const signal of SIGNALS) for (const listener of listeners(signal)) process.off(signal, listener)
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const listen = (onFirst = () => {}) => {
  interrupt = listenForInterrupts(onFirst)
  return interrupt
}

describe('listenForInterrupts', () => {
  it('is quiet as long as nobody asks to end', () => {
    const onFirst = vi.fn()
    const { stopping, givingUp, exitCode } = listen(onFirst)
    vi.advanceTimersByTime(60_000)
    expect([stopping.aborted, givingUp.aborted, exitCode()]).toEqual([false, false, undefined])
    expect(onFirst).not.toHaveBeenCalled()
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s stops at once, gives up five seconds later, and exits with %i', (signal, code) => {
    const onFirst = vi.fn()
    const { stopping, givingUp, exitCode } = listen(onFirst)
    send(signal)
    expect([stopping.aborted, givingUp.aborted, exitCode()]).toEqual([true, false, code])
    expect(onFirst).toHaveBeenCalledOnce()
    vi.advanceTimersByTime(4999)
    expect(givingUp.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(givingUp.aborted).toBe(true)
    expect(process.exit).not.toHaveBeenCalled()
  })

  it.each([
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 143],
    ['SIGINT', 'SIGTERM', 130],
  ] as const)('%s, then %s ends at once with %i', (first, second, code) => {
    const onFirst = vi.fn()
    listen(onFirst)
    send(first)
    expect(() => send(second)).toThrow(`exit ${code}`)
    expect(onFirst).toHaveBeenCalledOnce()
  })

  it('leaves neither a listener nor a timer behind', () => {
    const { dispose, givingUp } = listen()
    expect(SIGNALS.map((signal) => listeners(signal).length)).toEqual([1, 1, 1])
    send('SIGINT')
    dispose()
    expect(SIGNALS.map((signal) => listeners(signal).length)).toEqual([0, 0, 0])
    expect(vi.getTimerCount()).toBe(0)
    // Nor work that would keep the process from ending.
    expect(givingUp.aborted).toBe(true)
  })

  it('gives up on nothing where no signal has come', () => {
    const { dispose, givingUp } = listen()
    dispose()
    expect(givingUp.aborted).toBe(false)
  })
})

describe('orStop', () => {
  it('gives what the work gives, or throws what it throws', async () => {
    const { orStop } = listen()
    expect(await orStop(Promise.resolve('done'))).toBe('done')
    await expect(orStop(Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('does not wait any longer after %s', async (signal, exitCode) => {
    const { orStop } = listen()
    const work = orStop(new Promise(() => {}))
    send(signal)
    await expect(work).rejects.toMatchObject({
      code: 'interrupted',
      exitCode,
      message: 'Interrupted; nothing was changed.',
    })
  })

  it('does not wait at all once a signal has come', async () => {
    const { orStop } = listen()
    send('SIGTERM')
    await expect(orStop(new Promise(() => {}))).rejects.toMatchObject({ code: 'interrupted', exitCode: 143 })
  })

  it('lets work fail unheard that nobody waits for any more', async () => {
    const { orStop } = listen()
    let fail = (_: Error) => {}
    const work = orStop(
      new Promise((_, reject) => {
        fail = reject
      }),
    )
    send('SIGINT')
    await expect(work).rejects.toMatchObject({ code: 'interrupted' })
    // An unhandled rejection would fail the run of the tests.
    fail(new Error('too late'))
  })
})

it.each(SIGNALS)('untilSignal waits for %s', async (signal) => {
  let come = false
  const waiting = untilSignal().then(() => {
    come = true
  })
  await vi.advanceTimersByTimeAsync(1000)
  expect(come).toBe(false)
  send(signal)
  await waiting
  expect(come).toBe(true)
  expect(SIGNALS.map((each) => listeners(each).length)).toEqual([0, 0, 0])
})
