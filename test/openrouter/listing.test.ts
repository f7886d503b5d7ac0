import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { readWhole } from '../../src/lib/openrouter/listing.js'

type Item = { hash: string }

const items = (count: number): Item[] => Array.from({ length: count }, (_, i) => ({ hash: `k${count - i}` }))
const hashes = (list: readonly Item[]) => list.map(({ hash }) => hash)

let pauses: number[]
beforeEach(() => {
  pauses = []
  vi.stubGlobal('setTimeout', (callback: () => void, ms: number) => {
    pauses.push(ms)
    return setImmediate(callback)
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
})

/**
 * A list that is read in pages, newest first; `before` may change it before the nth page is answered.
 * @param delay how many turns of the event loop the nth answer takes: answers may overtake each other
 */
function pages(
  list: Item[],
  size: number,
  before: (n: number, list: Item[]) => void = () => {},
  delay: (n: number) => number = () => 1,
) {
  const offsets: number[] = []
  let underWay = 0
  let most = 0
  let answered = 0
  const readPage = async (offset: number) => {
    offsets.push(offset)
    most = Math.max(most, ++underWay)
    for (let turns = delay(offsets.length); turns > 0; turns--) await new Promise(setImmediate)
    before(++answered, list)
    underWay--
    return list.slice(offset, offset + size)
  }
  return { readPage, offsets, most: () => most }
}

describe('a list that stands still', () => {
  it.each([0, 1, 2, 3, 98, 99, 100, 101, 198, 199, 200, 250, 298, 299, 1000])(
    'of %i is read whole, in pages of 100',
    async (count) => {
      const list = items(count)
      expect(await readWhole(pages(list, 100).readPage)).toEqual(list)
      expect(pauses).toEqual([])
    },
  )

  it('is read whole, whatever its length and the size of a page', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.integer({ min: 2, max: 12 }), async (count, size) => {
        const list = items(count)
        expect(await readWhole(pages(list, size).readPage)).toEqual(list)
      }),
    )
  })

  it('asks for what comes behind a first page that is not full: pages may have become smaller', async () => {
    const { readPage, offsets } = pages(items(40), 40)
    await readWhole(readPage)
    expect(offsets).toEqual([0, 35, 70])
  })

  it('asks once where there is nothing', async () => {
    const { readPage, offsets } = pages([], 100)
    expect(await readWhole(readPage)).toEqual([])
    expect(offsets).toEqual([0])
  })

  it('is read with several requests at a time, and few more than there are pages', async () => {
    const { readPage, offsets, most } = pages(items(5000), 100)
    expect(await readWhole(readPage)).toHaveLength(5000)
    expect(most()).toBeGreaterThanOrEqual(4)
    expect(offsets.length).toBeLessThanOrEqual(51 + 8)
    expect(new Set(offsets).size).toBe(offsets.length)
  })

  it('does not ask a small account for many pages that it has not', async () => {
    const { readPage, offsets } = pages(items(120), 100)
    await readWhole(readPage)
    // The last one asks whether the end is one.
    expect(offsets).toEqual([0, 95, 190, 115])
  })

  it('reports how far it is, up to the end', async () => {
    const counts: number[] = []
    await readWhole(pages(items(450), 100).readPage, (count) => counts.push(count))
    expect(counts[0]).toBe(100)
    expect(counts.at(-1)).toBe(450)
    expect(counts).toEqual([...counts].sort((a, b) => a - b))
  })

  it('throws what reading a page throws', async () => {
    const readPage = async (offset: number) => {
      if (offset > 0) throw new Error('gone')
      return items(100)
    }
    await expect(readWhole(readPage)).rejects.toThrow('gone')
  })
})

describe('a list that moves', () => {
  const add = (list: Item[]) => list.unshift({ hash: 'new' })
  const drop = (at: number) => (list: Item[]) => list.splice(at, 1)

  it.each<[string, number, number, (list: Item[]) => void]>([
    ['a key comes before the second page', 250, 2, add],
    ['a key comes before the last page', 250, 3, add],
    ['a key goes from the first page', 250, 2, drop(5)],
    ['a key goes from the page to come', 250, 2, drop(150)],
    ['the key at the seam goes', 250, 2, drop(99)],
    ['the last key goes', 250, 2, drop(249)],
    ['a key comes to a full first page', 100, 2, add],
    ['a key goes from a full first page', 100, 2, drop(0)],
    ['a key comes to a list of one', 1, 2, add],
    ['the only key goes', 1, 2, drop(0)],
    ['a key comes to an empty list', 0, 1, add],
    ['everything goes', 250, 2, (list) => list.splice(0)],
  ])('%s', async (_, count, when, change) => {
    const list = items(count)
    const { readPage } = pages(list, 100, (n, now) => {
      if (n === when) change(now)
    })
    const result = hashes(await readWhole(readPage))
    // Every key that is there in the end was there for the whole reading, but for the new one.
    expect(result.filter((hash) => hash !== 'new')).toEqual(
      expect.arrayContaining(hashes(list).filter((h) => h !== 'new')),
    )
    expect(new Set(result).size).toBe(result.length)
  })

  it('is read anew after a pause that grows', async () => {
    const { readPage } = pages(items(250), 100, (n, now) => {
      // More than pages overlap by.
      if (n === 2 || n === 5) now.splice(0, 6)
    })
    expect(await readWhole(readPage)).toHaveLength(238)
    expect(pauses).toEqual([100, 200])
  })

  it('that never stands still is an error that says so', async () => {
    const { readPage } = pages(items(1000), 100, (_, now) => now.splice(0, 6))
    const error = await readWhole(readPage).catch((e) => e)
    expect(error).toBeInstanceOf(ClassKeysError)
    expect(error).toMatchObject({ code: 'list_unstable', exitCode: 1 })
    expect(pauses).toEqual([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
  })

  it('is read at once though a key comes before every page, as beside a long run that makes them', async () => {
    const list = items(1000)
    const there = hashes(list)
    let made = 0
    const { readPage } = pages(list, 100, (_, now) => now.unshift({ hash: `new${++made}` }))
    expect(hashes(await readWhole(readPage))).toEqual(['new1', ...there])
    expect(pauses).toEqual([])
  })

  it('is read at once though some keys go before every page', async () => {
    const list = items(1000)
    const { readPage } = pages(list, 100, (n, now) => n > 1 && n < 8 && now.splice(0, n === 2 ? 4 : 2))
    const result = hashes(await readWhole(readPage))
    expect(result).toEqual(hashes(items(1000)))
    expect(pauses).toEqual([])
  })

  it.each([
    [
      'many keys come',
      (list: Item[]) => list.unshift(...Array.from({ length: 60 }, (_, i) => ({ hash: `n${i}` }))),
    ],
    ['a key comes and another goes', (list: Item[]) => list.splice(3, 1, { hash: 'new' })],
    ['all keys of the overlap but one go', (list: Item[]) => list.splice(95, 4)],
  ])('is read at once where %s between two pages', async (_, change) => {
    const list = items(450)
    const { readPage } = pages(list, 100, (n, now) => n === 2 && change(now))
    const result = hashes(await readWhole(readPage))
    expect(result).toEqual(hashes(items(450)))
    expect(pauses).toEqual([])
  })

  it('is given up where the server ignores which page is asked for', async () => {
    for (const count of [2, 7, 100])
      await expect(readWhole(async () => items(count))).rejects.toMatchObject({ code: 'list_unstable' })
  })

  it.each([95, 190, 285, 380])('is not over where the page at %i is cut short', async (at) => {
    const list = items(450)
    for (const left of [0, 1, 3, 5, 6, 20, 94, 97]) {
      const { readPage } = pages(list, 100)
      let cut = 0
      const reading = async (offset: number) => {
        const page = await readPage(offset)
        return offset === at && cut++ === 0 ? page.slice(0, left) : page
      }
      expect(await readWhole(reading)).toEqual(list)
      expect(cut).toBeGreaterThan(0)
    }
  })

  it('gives no key twice where the server repeats itself', async () => {
    // The seams fit, but a key stands in the list twice.
    const list = [...items(4), { hash: 'k4' }, { hash: 'x' }]
    await expect(readWhole(pages(list, 3).readPage)).rejects.toMatchObject({ code: 'list_unstable' })
  })

  it('is not over where one page is cut short by a fault of the server', async () => {
    const list = items(450)
    const { readPage } = pages(list, 100)
    let cut = 0
    const reading = async (offset: number) => {
      const page = await readPage(offset)
      return offset === 95 && cut++ === 0 ? page.slice(0, 20) : page
    }
    expect(await readWhole(reading)).toEqual(list)
    expect(cut).toBe(2)
  })

  it('is not over after a first page of a single key', async () => {
    const list = items(450)
    const { readPage } = pages(list, 100)
    let cut = 0
    const reading = async (offset: number) => {
      const page = await readPage(offset)
      return offset === 0 && cut++ === 0 ? page.slice(0, 1) : page
    }
    expect(await readWhole(reading)).toEqual(list)
    await expect(readWhole(pages(items(3), 1).readPage)).rejects.toMatchObject({ code: 'list_unstable' })
  })

  it('loses no key that is there all the time, gives none twice, and none that never was', async () => {
    const change = fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      fc.array(fc.oneof(fc.constant('add' as const), fc.nat(60)), { maxLength: 6 }),
    )
    let moved = 0
    await fc.assert(
      fc.asyncProperty(
        fc.nat(60),
        fc.integer({ min: 2, max: 16 }),
        fc.array(change, { maxLength: 14 }),
        fc.infiniteStream(fc.integer({ min: 0, max: 4 })),
        async (count, size, changes, delays) => {
          const list = items(count)
          const ever = new Set(hashes(list))
          const always = new Set(ever)
          let made = 0
          const before = (n: number, now: Item[]) => {
            for (const step of changes[n - 1] ?? []) {
              if (step === 'add') {
                now.unshift({ hash: `new${++made}` })
                ever.add(`new${made}`)
              } else for (const { hash } of now.splice(step, 1)) always.delete(hash)
            }
          }
          const { readPage } = pages(list, size, before, () => delays.next().value)
          const result = await readWhole(readPage).catch((error) => {
            expect(error.code).toBe('list_unstable')
            return undefined
          })
          if (!result) return
          moved += changes.flat().length > 0 ? 1 : 0
          const got = hashes(result)
          expect(new Set(got).size).toBe(got.length)
          expect(got).toEqual(expect.arrayContaining([...always]))
          for (const hash of got) expect(ever.has(hash)).toBe(true)
          // Newest first, as the server gives them.
          const ages = got.map(
            (hash) => (hash.startsWith('new') ? count : 0) + Number(hash.replace(/\D/g, '')),
          )
          expect(ages).toEqual([...ages].sort((a, b) => b - a))
        },
      ),
      { numRuns: 1500 },
    )
    // Most of these lists moved and were read all the same; otherwise the property would say nothing.
    expect(moved).toBeGreaterThan(700)
  })

  it('is read without a pause as long as keys only come, and pages are answered in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 40, max: 90 }),
        fc.integer({ min: 10, max: 16 }),
        fc.array(fc.nat(4), { maxLength: 30 }),
        async (count, size, comes) => {
          pauses = []
          let made = 0
          const { readPage } = pages(items(count), size, (n, now) => {
            for (let i = 0; i < (comes[n - 1] ?? 0); i++) now.unshift({ hash: `new${++made}` })
          })
          expect(hashes(await readWhole(readPage))).toEqual(expect.arrayContaining(hashes(items(count))))
          expect(pauses).toEqual([])
        },
      ),
    )
  })
})
