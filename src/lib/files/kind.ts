import { lstat, stat } from 'node:fs/promises'

/**
 * What stands at a path where that is neither a file nor a link to one: `a folder`, `a pipe`, … A new file must
 * not take its place, and a pipe is waited for without end. Undefined for a file, and where there is nothing.
 */
export async function notAFile(path: string): Promise<string | undefined> {
  const there = await stat(path).catch(() => lstat(path).catch(() => undefined))
  if (!there || there.isFile()) return undefined
  if (there.isDirectory()) return 'a folder'
  if (there.isFIFO()) return 'a pipe'
  return there.isSymbolicLink() ? 'a link that cannot be followed' : 'a device'
}
