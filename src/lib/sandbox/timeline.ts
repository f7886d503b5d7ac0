import type { Micros } from './times.js'

/**
 * Things in the order of their creation, of which a page, newest first, is had without looking at the others.
 * Each thing's `createdAt` must be unique within one timeline.
 */
export class Timeline<T extends { readonly createdAt: Micros }> {
  readonly #oldestFirst: T[] = []

  /** Whether there is a thing that was created at exactly that moment. */
  taken(createdAt: Micros): boolean {
    return this.#oldestFirst[this.#position(createdAt)]?.createdAt === createdAt
  }

  /** Puts a thing into its place: at once for the newest, by moving the newer ones for any other. */
  add(thing: T): void {
    this.#oldestFirst.splice(this.#position(thing.createdAt), 0, thing)
  }

  /** Takes a thing out; does nothing if it is not there. */
  remove(thing: T): void {
    const position = this.#position(thing.createdAt)
    if (this.#oldestFirst[position] === thing) this.#oldestFirst.splice(position, 1)
  }

  /** Gives at most `size` things, newest first, after leaving out the newest `offset`. */
  page(offset: number, size: number): T[] {
    const end = Math.max(0, this.#oldestFirst.length - offset)
    return this.#oldestFirst.slice(Math.max(0, end - size), end).reverse()
  }

  /** The first position whose thing is not older than that moment, found by halving. */
  #position(createdAt: Micros): number {
    let low = 0
    let high = this.#oldestFirst.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const thing = this.#oldestFirst[middle]
      if (thing !== undefined && thing.createdAt < createdAt) low = middle + 1
      else high = middle
    }
    return low
  }
}
