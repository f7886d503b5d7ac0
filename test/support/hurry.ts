import { vi } from 'vitest'

/**
 * Lets the pauses between two attempts of a request pass a hundred times as fast, until the test has ended
 * (vi.unstubAllGlobals). The order in which timers go off stays.
 */
export function hurry(): void {
  const real = globalThis.setTimeout
  const fast = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
    real(callback, ms / 100, ...args)
  vi.stubGlobal('setTimeout', Object.assign(fast, real))
}
