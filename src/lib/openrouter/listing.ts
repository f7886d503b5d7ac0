import { ClassKeysError } from '../core/errors.js'

/** How many pages are asked for at a time: few at first, so that a small account is not asked for pages it has not. */
const BATCHES = [2, 4, 8]
const MOST_RESTARTS = 10
const RESTART_PAUSE_MS = 100

/**
 * Reads a list whole that comes in pages by offset, with several requests in flight. Keys may come and go
 * while it is read, and each one shifts all behind it; so every page overlaps the one before by one key, and
 * where a seam does not match the reading starts again.
 *
 * The size of a page is learnt from the first one, and a first page is never taken for the whole list without
 * asking for what comes behind it: a key that is overlooked makes its student look keyless.
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
  const stride = pageSize - 1
  let ended = false
  for (let next = 1, batch = 0; !ended; batch++) {
    const size = BATCHES[Math.min(batch, BATCHES.length - 1)] ?? 1
    const offsets = Array.from({ length: size }, (_, i) => (next + i) * stride)
    next += size
    for (const page of await Promise.all(offsets.map(readPage))) {
      if (ended) {
        if (page.length > 0) return undefined
        continue
      }
      if (page[0]?.hash !== list.at(-1)?.hash || page.length > pageSize) return undefined
      list.push(...page.slice(1))
      ended = page.length < pageSize
    }
    onProgress(list.length)
  }
  return new Set(list.map((item) => item.hash)).size === list.length ? list : undefined
}
