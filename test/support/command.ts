import { fileURLToPath } from 'node:url'
import { type Command, Config } from '@oclif/core'
import { type Captured, capture } from './capture.js'

/** A command as its module exports it. */
export type CommandClass = typeof Command & {
  run(argv: string[], config: Config): Promise<unknown>
}

/** What came of running a command. */
export interface Ran extends Captured {
  /** What the process would have exited with; 0 where the command has set nothing. */
  exitCode: number
  /** What the command gave back; undefined after an error. */
  result: unknown
  /** What the command threw instead of handling it, which it should never do. */
  thrown: unknown
  /** The one JSON document on standard output, where `--json` was asked for. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of every shape
  json: any
}

/** Where package.json is. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let config: Promise<Config> | undefined

/** Runs a command as the program would, but from its source and in this process. */
export async function runCommand(
  command: CommandClass,
  argv: readonly string[],
  onOutput?: (so_far: Captured) => void,
): Promise<Ran> {
  config ??= Config.load(ROOT)
  const loaded = await config
  const ran: Ran = {
    stdout: '',
    stderr: '',
    exitCode: 0,
    result: undefined,
    thrown: undefined,
    json: undefined,
  }
  process.exitCode = undefined
  const work = async () => {
    try {
      ran.result = await command.run([...argv], loaded)
    } catch (error) {
      ran.thrown = error
    }
  }
  Object.assign(ran, await capture(work, onOutput))
  ran.exitCode = Number(process.exitCode ?? 0)
  process.exitCode = undefined
  if (argv.includes('--json')) ran.json = parsed(ran.stdout)
  return ran
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`standard output is not one JSON document:\n${text}`)
  }
}
