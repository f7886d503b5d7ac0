import { ClassKeysError } from '../core/errors.js'

/** How many pages are asked for at a time: few at first, so that a small account is not asked for pages it has not. */
const BATCHES = [2, 4, 8]
const MOST_RESTARTS = 10
const RESTART_PAUSE_MS = 100

/** By how many keys a page overlaps the one before; by fewer where pages are so small that it would be most of them. */
const OVERLAP = 5

/**
 * Reads a list whole that comes in pages by offset, with several requests in flight. Keys may come and go
 * while it is read, and each one shifts all behind it; so every page overlaps the one before by a few keys, and
 * where a page shares none with what was read the reading starts again.
 *
 * Why that is enough: keys never change their order, and a page holds every key that is there between its first
 * and its last one at that moment. So whatever stays there during the whole reading, and stands between the newest
 * and the oldest key of pages that hang together by shared keys, is on one of them, in whatever order the pages
 * were answered. What comes at the front meanwhile makes pages share more, or fewer where the later page was
 * answered first, and is missed at worst, as if it had come after the reading; what goes makes them share fewer.
 * A page begins with the shared keys and goes on with new ones; anything else is a list that is not of this kind,
 * or has moved too far, and starts the reading again. So no key is there twice.
 *
 * The size of a page is learnt from the first one. Any page may be cut short, and a key that is overlooked makes its
 * student look keyless; so the end is believed only where another page shares keys and has nothing beyond them.
 * @param readPage gives the keys from an offset on, at most a page of them
 * @param onProgress is told how many keys have been read so far
 * @throws ClassKeysError `list_unstable` where the list never stands still
 */
export async function readWhole<T extends { hash: string }>(
  readPage: (offset: number) => Promise<T[]>,
  onProgress: (count: number) => void = () => {},
): Promise<T[]> {
  for (let restarts = 0; restarts <= MOST_RESTARTS; restarts++) {
    if (restarts > 0) await new Promise((resolve) => setTimeout(resolve, RESTART_PAUSE_MS * restarts))
    const list = await readOnce(readPage, onProgress)
    if (list) return list
  }
  throw new ClassKeysError(
    'list_unstable',
    'The list of keys kept changing while it was read: somebody else is making or deleting keys. Run the same command again in a minute.',
  )
}

/** One reading; undefined where the list changed under it. */
async function readOnce<T extends { hash: string }>(
  readPage: (offset: number) => Promise<T[]>,
  onProgress: (count: number) => void,
): Promise<T[] | undefined> {
  const list = await readPage(0)
  const pageSize = list.length
  onProgress(pageSize)
  if (pageSize === 0) return list
  if (pageSize === 1) return (await readPage(1)).length === 0 ? list : undefined
  const overlap = Math.min(OVERLAP, Math.floor(pageSize / 2))
  const seen = new Set(list.map((item) => item.hash))
  if (seen.size < list.length) return undefined
  const add = (items: T[]) => {
    for (const item of items) {
      seen.add(item.hash)
      list.push(item)
    }
    return seen.size === list.length
  }
  /** Where the list ends by a page that was not full; another one has to confirm it. */
  let end: number | undefined
  for (let next = 1, batch = 0, confirmed = false; !confirmed; batch++) {
    const size = BATCHES[Math.min(batch, BATCHES.length - 1)] ?? 1
    const offsets =
      end === undefined
        ? Array.from({ length: size }, (_, i) => (next + i) * (pageSize - overlap))
        : [end - overlap]
    next += size
    const confirming: boolean = end !== undefined
    const pages: T[][] = await Promise.all(offsets.map(readPage))
    for (const [i, page] of pages.entries()) {
      const known = page.findIndex((item) => !seen.has(item.hash))
      const fresh = known === -1 ? [] : page.slice(known)
      if (fresh.length > 0) {
        // Nothing shared, or something behind the end.
        if (known === 0 || page.length > pageSize || confirming || confirmed || !add(fresh)) return undefined
        end = page.length < pageSize ? (offsets[i] ?? 0) + page.length : undefined
      } else if (page.length >= pageSize) {
        // It would come for ever from a server that ignores the offset.
        return undefined
      } else if (page.length > 0) {
        // The first page has said as much already; behind any other the page may be one that was cut short.
        if (end !== undefined || (list.length === pageSize && page.length >= overlap)) confirmed = true
        else end = (offsets[i] ?? 0) + page.length
      } else if (confirming || (end === undefined && !confirmed)) return undefined
    }
    onProgress(list.length)
  }
  return list
}
