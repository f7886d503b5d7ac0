import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The program as it is installed: over what the build has made. */
export const PROGRAM = fileURLToPath(new URL('../../../bin/run.js', import.meta.url))

/** What is compiled of the program is kept for all tests, and out of the folders that they look into. */
export const CACHE = join(tmpdir(), 'class-keys-tests-cache')

/** What a run of the program has left behind. */
export interface Ended {
  /** Null where a signal ended it. */
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

/** A run of the program that may still be under way. */
export interface Running {
  child: ChildProcess
  ended: Promise<Ended>
}

export interface RunOptions {
  cwd: string
  /** Added to the clean environment. */
  env?: NodeJS.ProcessEnv
  /** A shell command that ends in the program and its arguments as `"$@"`; without it the program runs directly. */
  shell?: string
}

/** Every word that a run of the program in this file has ever printed, for the search for secrets. */
export const everythingPrinted: string[] = []

/** Starts the built program in an environment that holds nothing of the machine's but PATH and the time zone. */
export function start(args: readonly string[], { cwd, env = {}, shell }: RunOptions): Running {
  const command = [process.execPath, PROGRAM, ...args]
  const [file = '', ...rest] = shell === undefined ? command : ['bash', '-c', shell, 'bash', ...command]
  const child = spawn(file, rest, {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, XDG_CACHE_HOME: CACHE, TZ: 'Australia/Sydney', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { child, ended: ended(child) }
}

/** Runs the built program to its end. */
export function run(args: readonly string[], options: RunOptions): Promise<Ended> {
  return start(args, options).ended
}

async function ended(child: ChildProcess): Promise<Ended> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  everythingPrinted.push(stdout, stderr)
  return { code, signal, stdout, stderr }
}
