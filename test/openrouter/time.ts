import { afterEach, beforeEach, vi } from 'vitest'

const realSetTimeout = globalThis.setTimeout
const realFetch = globalThis.fetch
/** So many milliseconds without anything happening mean that a request hangs. */
const HANGING_MS = 250

/**
 * Lets timers and the clock of each test stand still, real requests over the network going on, until
 * `pass` moves them.
 */
export function useFakeTime() {
  let underWay = 0
  let events = 0

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    underWay = 0
    vi.stubGlobal('fetch', async (...args: Parameters<typeof fetch>) => {
      underWay++
      events++
      const done = () => {
        underWay--
        events++
      }
      try {
        const response = await realFetch(...args)
        // Under way until the body is there, too.
        response.clone().text().then(done, done)
        return response
      } catch (error) {
        done()
        throw error
      }
    })
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })

  return {
    /** Waits for some work; whenever nothing is under way, or nothing moves, the next timer goes off. */
    async pass<T>(work: Promise<T>): Promise<T> {
      let settled = false
      const settle = () => {
        settled = true
      }
      work.then(settle, settle)
      let quiet = 0
      let seen = events
      while (!settled) {
        await new Promise((resolve) => realSetTimeout(resolve, 1))
        quiet = events === seen ? quiet + 1 : 0
        seen = events
        if (quiet < (underWay === 0 ? 3 : HANGING_MS)) continue
        vi.advanceTimersToNextTimer()
        quiet = 0
      }
      return work
    },
    /** How many milliseconds some work takes by the clock of the test. */
    async durationOf(work: () => Promise<unknown>): Promise<number> {
      const start = Date.now()
      await this.pass(work().catch(() => {}))
      return Date.now() - start
    },
  }
}
