import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'

/**
 * Gives each test of a file an empty folder of its own as working directory, which is taken away afterwards.
 * @returns where the folder of the current test is
 */
export function useFolder(): () => string {
  const home = process.cwd()
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'class-keys-test-'))
    process.chdir(folder)
  })
  afterEach(() => {
    process.chdir(home)
    rmSync(folder, { recursive: true, force: true })
  })
  return () => folder
}

/** Everything about a file that writing it would change. */
export interface FileState {
  mode: string
  size: number
  mtimeNs: bigint
  sha256: string
}

/** Everything about a file that writing it would change, its last modification included. */
export function fileState(path: string): FileState {
  const { mode, size, mtimeNs } = statSync(path, { bigint: true })
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
  return { mode: (Number(mode) & 0o777).toString(8), size: Number(size), mtimeNs, sha256 }
}

/** Every file of a folder by name, hidden ones included, with everything that writing it would change. */
export function folderState(folder = '.'): Record<string, FileState> {
  return Object.fromEntries(names(folder).map((name) => [name, fileState(join(folder, name))]))
}

/** The names of a folder's entries, sorted, hidden ones included. */
export function names(folder = '.'): string[] {
  return readdirSync(folder).sort()
}

/** The one entry of the working directory whose name fits. */
export function only(pattern: RegExp): string {
  const fitting = names().filter((name) => pattern.test(name))
  if (fitting.length !== 1 || fitting[0] === undefined)
    throw new Error(`${fitting.length} files are like ${pattern}: ${names().join(', ')}`)
  return fitting[0]
}

/** A file's permission bits as `ls` numbers them: `600`. */
export function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}
