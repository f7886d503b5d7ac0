import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Config } from '@oclif/core'
import { vi } from 'vitest'
import Check from '../../../src/commands/check.js'
import ExportKeys from '../../../src/commands/export-keys.js'
import InitDb from '../../../src/commands/init-db.js'
import Offboard from '../../../src/commands/offboard.js'
import Provision from '../../../src/commands/provision.js'
import RefreshLimitsFile from '../../../src/commands/refresh-limits-file.js'
import Rotate from '../../../src/commands/rotate.js'
import Update from '../../../src/commands/update.js'
import { Ledger } from '../../../src/db/ledger.js'
import type { Sandbox } from '../../../src/lib/sandbox/sandbox.js'
import { newFolder, type Pupil, rosterText } from '../../e2e/support/classroom.js'
import type { Exported } from './end-state.js'
import { type KillPoint, type Life, lives } from './life.js'

/*
 * The commands as they are in src, run inside this process: the network is a function call, and the clock
 * leaps from one wait to the next, so that a timeout of thirty seconds is over in a moment. A run can be
 * killed at any of its steps, where a step is a request or a transaction of the ledger.
 */

const COMMANDS = {
  check: Check,
  'export-keys': ExportKeys,
  'init-db': InitDb,
  offboard: Offboard,
  provision: Provision,
  'refresh-limits-file': RefreshLimitsFile,
  rotate: Rotate,
  update: Update,
}

export type CommandName = keyof typeof COMMANDS

/** These stories are about faults: whatever the plan is, it has been agreed to. */
export const AGREED: Partial<Record<CommandName, string[]>> = {
  offboard: ['--yes', '--force'],
  rotate: ['--yes', '--force'],
  update: ['--yes', '--force'],
}

/** What a run has left behind. */
export interface Outcome {
  /** `killed` where it did not come to an end. */
  exitCode: number | 'killed'
  /** What `--json` printed, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results of every shape
  json: any
  stdout: string
  stderr: string
  /** How many requests and transactions there were. */
  steps: number
}

const config = await Config.load({ root: fileURLToPath(new URL('../../..', import.meta.url)) })
const { setTimeout: afterMs, setImmediate: afterTurn } = globalThis
const never = new Promise<never>(() => {})

/** One step of a run: the door through which it can be killed. */
async function step<T>(work: () => Promise<T>): Promise<T> {
  const life = lives.getStore()
  if (!life) return work()
  if (life.dead) return never
  life.steps += 1
  const { killAt, steps } = life
  if (killAt?.step === steps && killAt.when === 'before') {
    life.die()
    return never
  }
  const result = await work().finally(() => {
    life.ended += 1
    if (killAt?.step === steps) life.die()
  })
  return life.dead ? never : result
}

for (const name of Object.getOwnPropertyNames(Ledger.prototype) as (keyof Ledger)[]) {
  if (['constructor', 'close', 'path'].includes(name)) continue
  const method = Ledger.prototype[name] as (...args: unknown[]) => Promise<unknown>
  const through = function (this: Ledger, ...args: unknown[]) {
    return step(() => method.apply(this, args))
  }
  Object.assign(Ledger.prototype, { [name]: through })
}

// Nothing here cuts the power either, so no file has to be on the disk before a run goes on.
const handle = await open(fileURLToPath(import.meta.url))
Object.assign(Object.getPrototypeOf(handle), { sync: async () => {} })
await handle.close()

async function askSandbox(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const life = lives.getStore()
  if (!life) throw new Error('a request outside of a run')
  const request = new Request(input, init)
  return step(async () => {
    const aborted = new Promise<never>((_, reject) => {
      if (request.signal.aborted) reject(request.signal.reason)
      request.signal.addEventListener('abort', () => reject(request.signal.reason), { once: true })
    })
    const response = await Promise.race([lives.exit(() => life.sandbox.fetch(request)), aborted])
    if (response.type !== 'error') return response
    // As undici says it when a connection breaks.
    throw new TypeError('fetch failed', {
      cause: Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }),
    })
  })
}

/** Sets the fast clock; it stands still outside of runs and `pass`. For `beforeEach`. */
export function startFastClock(at = new Date(2026, 2, 2, 10, 0, 0)): void {
  vi.useFakeTimers({
    now: at,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
  })
  // The dead have no alarms: what a killed run has set is forgotten; what the sandbox has set for it is not.
  const { setTimeout: fake } = globalThis
  const fenced = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    const life = lives.getStore()
    return fake(() => {
      if (!life) callback(...args)
      else if (!life.dead) lives.run(life, callback, ...args)
    }, ms)
  }
  globalThis.setTimeout = fenced as typeof setTimeout
}

/** Lets time pass, and what was to happen in it. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
}

/** A folder and a sandbox for runs inside this process. */
export interface Inside {
  folder: string
  sandbox: Sandbox
}

/** So many turns of the event loop without a step mean that all that is under way waits for the clock. */
const IDLE_TURNS = 4

/**
 * Lets the fast clock run while a run is at work: a millisecond for each turn of the event loop in which something
 * happened, none while a file is read or written, and on to what is waited for when nothing else is under way. So
 * it does not depend on how fast the machine is.
 */
function runClock(life: Life): () => void {
  if (!vi.isFakeTimers()) return () => {}
  let stopped = false
  let seen = 0
  let idle = 0
  const turn = () => {
    if (stopped) return
    const now = life.steps + life.ended
    if (now !== seen) {
      seen = now
      idle = 0
      vi.advanceTimersByTime(1)
    } else if (isAtFiles()) {
      idle = 0
      afterMs(turn, 1)
      return
    } else if (++idle >= IDLE_TURNS) {
      vi.advanceTimersToNextTimer()
      idle = 0
    }
    afterTurn(turn)
  }
  afterTurn(turn)
  return () => {
    stopped = true
  }
}

/** Whether the system is reading or writing a file for this process: the event loop may turn many times meanwhile. */
function isAtFiles(): boolean {
  return process.getActiveResourcesInfo().some((name) => /^(FSReq|CloseReq)/.test(name))
}

/** Puts a roster into the folder. */
export function writeRoster({ folder }: Inside, people: readonly Pupil[]): void {
  writeFileSync(join(folder, 'roster.csv'), rosterText(people))
}

/** Puts a limits.csv into the folder. */
export function writeLimits({ folder }: Inside, text: string): void {
  writeFileSync(join(folder, 'limits.csv'), text)
}

/** The folder in which this process has made a ledger, to be copied: to make one takes longer than most runs. */
let template: string | undefined

/** A folder with a new ledger. */
export async function openInside(sandbox: Sandbox): Promise<Inside> {
  if (template === undefined) {
    template = newFolder()
    await runInside({ folder: template, sandbox }, ['init-db'])
  }
  const folder = newFolder()
  for (const name of readdirSync(template)) copyFileSync(join(template, name), join(folder, name))
  return { folder, sandbox }
}

/** The run before: a process has one working directory and one standard output, so runs wait for each other. */
let before: Promise<unknown> = Promise.resolve()

/** Runs a command with `--json` to its end, or to where it is killed. */
export function runInside(
  inside: Inside,
  argv: readonly [CommandName, ...string[]],
  killAt?: KillPoint,
): Promise<Outcome> {
  const outcome = before.then(() => runAlone(inside, argv, killAt))
  before = outcome.catch(() => {})
  return outcome
}

async function runAlone(
  { folder, sandbox }: Inside,
  [command, ...args]: readonly [CommandName, ...string[]],
  killAt: KillPoint | undefined,
): Promise<Outcome> {
  const printed = { stdout: '', stderr: '' }
  const restore = [
    capture(process.stdout, (text) => (printed.stdout += text)),
    capture(process.stderr, (text) => (printed.stderr += text)),
    setEnvironment(sandbox),
    goTo(folder),
    keepListeners(),
  ]
  vi.stubGlobal('fetch', askSandbox)
  process.exitCode = undefined
  let die = () => {}
  const killed = new Promise<void>((resolve) => {
    die = resolve
  })
  const life: Life = {
    sandbox,
    killAt,
    steps: 0,
    ended: 0,
    dead: false,
    connections: [],
    die() {
      life.dead = true
      for (const connection of life.connections) connection.close()
      die()
    },
  }
  const stopClock = runClock(life)
  try {
    await Promise.race([
      lives.run(life, () =>
        (COMMANDS[command] as typeof Check).run([...args, ...(AGREED[command] ?? []), '--json'], config),
      ),
      killed,
    ])
    const exitCode = life.dead ? 'killed' : Number(process.exitCode ?? 0)
    return {
      exitCode,
      json: life.dead ? undefined : parsed(printed.stdout),
      ...printed,
      steps: life.steps,
    }
  } finally {
    stopClock()
    process.exitCode = undefined
    for (const back of restore.reverse()) back()
  }
}

/** One document and nothing else, as `--json` promises. */
function parsed(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch (error) {
    throw new Error(`not one JSON document: ${stdout}`, { cause: error })
  }
}

/** What `export-keys --format json` writes. It marks all secrets as handed out: for the end of a story. */
export async function exportInside(inside: Inside): Promise<Exported[]> {
  const output = join(newFolder(), 'export.json')
  const { exitCode, stdout } = await runInside(inside, [
    'export-keys',
    '--format',
    'json',
    '--output',
    output,
  ])
  if (exitCode !== 0) throw new Error(`export-keys ended with ${exitCode}: ${stdout}`)
  return JSON.parse(readFileSync(output, 'utf8'))
}

function capture(stream: NodeJS.WriteStream, keep: (text: string) => void): () => void {
  const { write } = stream
  stream.write = ((text: string | Uint8Array, ...rest: unknown[]) => {
    keep(String(text))
    const done = rest.find((each): each is () => void => typeof each === 'function')
    done?.()
    return true
  }) as typeof write
  return () => {
    stream.write = write
  }
}

function setEnvironment({ managementKey }: Sandbox): () => void {
  vi.stubEnv('OPENROUTER_BASE_URL', 'http://sandbox.test/api/v1')
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', managementKey)
  return () => vi.unstubAllEnvs()
}

function goTo(folder: string): () => void {
  const here = process.cwd()
  process.chdir(folder)
  return () => process.chdir(here)
}

/** A run that was killed has not taken its signal listeners away. */
function keepListeners(): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const there = new Map(signals.map((signal) => [signal, process.listeners(signal)]))
  return () => {
    for (const signal of signals) {
      for (const listener of process.listeners(signal)) {
        if (!there.get(signal)?.includes(listener)) process.off(signal, listener)
      }
    }
  }
}
