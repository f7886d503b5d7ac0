import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Pace, type Slot } from '../../src/lib/openrouter/pace.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Asks for so many places; `taken` grows as they are given, `order` tells in which order. */
function ask(pace: Pace, count: number, signal?: AbortSignal) {
  const taken: Slot[] = []
  const order: number[] = []
  const refused: unknown[] = []
  for (let n = 0; n < count; n++) {
    pace.slot(signal).then(
      (slot) => {
        taken.push(slot)
        order.push(n)
      },
      (reason) => refused.push(reason),
    )
  }
  return { taken, order, refused }
}

const settle = () => vi.advanceTimersByTimeAsync(0)

/** Takes a place at once, which must be free. */
async function take(pace: Pace): Promise<Slot> {
  const { taken } = ask(pace, 1)
  await settle()
  const [slot] = taken
  if (!slot) throw new Error('there is no place')
  return slot
}

describe('Pace', () => {
  it('lets no more run at a time than it may, and the others in the order in which they came', async () => {
    const pace = new Pace(3)
    const { taken, order } = ask(pace, 7)
    await settle()
    expect(order).toEqual([0, 1, 2])
    taken[1]?.release()
    await settle()
    expect(order).toEqual([0, 1, 2, 3])
    taken[0]?.release()
    taken[2]?.release()
    taken[3]?.release()
    await settle()
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6])
  })

  it('takes a place back once only', async () => {
    const pace = new Pace(1)
    const slot = await take(pace)
    slot.release()
    slot.release()
    const { order } = ask(pace, 2)
    await settle()
    expect(order).toEqual([0])
  })

  it('starts nothing during a pause, and half as many after it', async () => {
    const pace = new Pace(8)
    const slot = await take(pace)
    slot.slowDown(2000)
    slot.release()
    expect(pace.allowed).toBe(4)
    const { taken } = ask(pace, 8)
    await vi.advanceTimersByTimeAsync(1999)
    expect(taken).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(taken).toHaveLength(4)
  })

  it('keeps the longest of several pauses', async () => {
    const pace = new Pace(4)
    const [a, b] = [await take(pace), await take(pace)]
    a.slowDown(3000)
    b.slowDown(1000)
    a.release()
    b.release()
    const { taken } = ask(pace, 1)
    await vi.advanceTimersByTimeAsync(2999)
    expect(taken).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(taken).toHaveLength(1)
  })

  it('lengthens a pause that others wait for already', async () => {
    const pace = new Pace(4)
    const [a, b] = [await take(pace), await take(pace)]
    a.slowDown(1000)
    a.release()
    const { taken } = ask(pace, 1)
    await vi.advanceTimersByTimeAsync(500)
    b.slowDown(5000)
    b.release()
    await vi.advanceTimersByTimeAsync(4999)
    expect(taken).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(taken).toHaveLength(1)
  })

  it('takes the refusals of requests that ran together for one reason', async () => {
    const pace = new Pace(8)
    const { taken } = ask(pace, 8)
    await settle()
    await vi.advanceTimersByTimeAsync(10)
    for (const slot of taken) {
      slot.slowDown(100)
      slot.release()
    }
    expect(pace.allowed).toBe(4)
  })

  it.each([
    [8, [4, 2, 1, 1]],
    [5, [2, 1, 1]],
    [1, [1, 1]],
  ])('halves %i again and again, down to one', async (most, allowed) => {
    const pace = new Pace(most)
    for (const count of allowed) {
      await vi.advanceTimersByTimeAsync(1000)
      const slot = await take(pace)
      await vi.advanceTimersByTimeAsync(1)
      slot.slowDown(10)
      slot.release()
      expect(pace.allowed).toBe(count)
    }
  })

  it('lets one more run after as many answers as may run, up to the most', async () => {
    const pace = new Pace(4)
    const slot = await take(pace)
    slot.slowDown(0)
    slot.release()
    const answers = (count: number) => {
      for (let n = 0; n < count; n++) slot.succeeded()
      return pace.allowed
    }
    expect([answers(1), answers(1), answers(2), answers(1), answers(3), answers(50)]).toEqual([
      2, 3, 3, 4, 4, 4,
    ])
  })

  it('begins to count anew after a refusal', async () => {
    const pace = new Pace(4)
    const slot = await take(pace)
    for (let n = 0; n < 3; n++) slot.succeeded()
    slot.slowDown(0)
    expect(pace.allowed).toBe(2)
    slot.succeeded()
    expect(pace.allowed).toBe(2)
  })

  it('lets one who gives up go, and keeps the place for the next', async () => {
    const pace = new Pace(1)
    const slot = await take(pace)
    const giveUp = new AbortController()
    const gone = ask(pace, 2, giveUp.signal)
    const next = ask(pace, 1)
    await settle()
    giveUp.abort(new Error('enough'))
    await settle()
    expect(gone.refused).toEqual([new Error('enough'), new Error('enough')])
    slot.release()
    await settle()
    expect([gone.taken.length, next.taken.length]).toEqual([0, 1])
  })

  it('gives no place to one who has given up before', async () => {
    const pace = new Pace(1)
    await expect(pace.slot(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    await take(pace)
  })

  it('keeps a place that was given when its owner gives up later', async () => {
    const pace = new Pace(1)
    const giveUp = new AbortController()
    const { taken } = ask(pace, 1, giveUp.signal)
    await settle()
    giveUp.abort()
    const { order } = ask(pace, 1)
    await settle()
    expect(order).toEqual([])
    taken[0]?.release()
    await settle()
    expect(order).toEqual([0])
  })

  it('sets no timer for a pause that nobody waits for', async () => {
    const pace = new Pace(2)
    const [a, b] = [await take(pace), await take(pace)]
    a.slowDown(100_000)
    a.release()
    b.release()
    expect(vi.getTimerCount()).toBe(0)
    // The pause holds all the same.
    const { taken } = ask(pace, 1)
    await vi.advanceTimersByTimeAsync(99_999)
    expect(taken).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(taken).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('leaves no timer behind that would keep the process from ending', async () => {
    const pace = new Pace(2)
    const slot = await take(pace)
    const giveUp = new AbortController()
    slot.slowDown(100_000)
    slot.release()
    const { refused } = ask(pace, 2, giveUp.signal)
    await settle()
    expect(vi.getTimerCount()).toBe(1)
    giveUp.abort()
    await settle()
    expect(refused).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
    // The pause itself is not forgotten.
    const { taken } = ask(pace, 1)
    await vi.advanceTimersByTimeAsync(99_999)
    expect(taken).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(taken).toHaveLength(1)
  })
})
