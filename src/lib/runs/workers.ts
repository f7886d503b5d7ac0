/**
 * Works through items, several at a time, and starts nothing new once it is told to stop; what is under way
 * is always brought to its end.
 * @param most how many at a time
 * @param goOn asked before each item
 * @returns the items that were not started
 */
export async function workThrough<Item>(
  items: readonly Item[],
  most: number,
  goOn: () => boolean,
  work: (item: Item) => Promise<void>,
): Promise<Item[]> {
  const rest = [...items]
  const worker = async () => {
    while (goOn()) {
      const item = rest.shift()
      if (item === undefined) return
      await work(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker))
  return rest
}
