import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, vi } from 'vitest'
import type { SeenRequest } from '../../src/lib/sandbox/call.js'
import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/lib/sandbox/sandbox.js'
import type { SandboxKey } from '../../src/lib/sandbox/state.js'
import { type CommandClass, type Ran, runCommand } from './command.js'
import { useFolder } from './folder.js'
import { keyNameOf, type RosterLine } from './people.js'

/** The management key of the tests, unlike any that a person would paste. */
export const MANAGEMENT_KEY = 'sk-or-v1-management-key-of-the-tests-0123456789abcdef'

/** What looks like the plaintext of a key, whoever made it. */
const SECRET = /sk-or-v1-[0-9a-f]{64}/

/** A sandbox in the place of OpenRouter, an empty working directory, and a way to run commands there. */
export interface Classroom {
  readonly sandbox: Sandbox
  /** Puts another account in the place of the present one. */
  replaceSandbox(options: SandboxOptions): void
  /** Runs a command; what it writes is searched for secrets when the test ends. */
  run(command: CommandClass, ...argv: string[]): Promise<Ran>
  /** Runs a command that must get through. */
  ok(command: CommandClass, ...argv: string[]): Promise<Ran>
  /** What was asked of OpenRouter, of one kind or of all. */
  requests(method?: string): SeenRequest[]
  /** Puts a key of a student into OpenRouter, made elsewhere. */
  giveKey(of: RosterLine, seed?: Partial<Parameters<Sandbox['state']['addKey']>[0]>): SandboxKey
}

/**
 * Gives each test of a file a classroom. When a test ends, it fails if a secret or the management key was in
 * anything that a command printed or gave back, if a file that holds a secret can be read by others, or if
 * the management key is in any file.
 */
export function useClassroom(): Classroom {
  let sandbox: Sandbox
  let ran: Ran[] = []
  const folder = useFolder()
  const server = setupServer(
    http.all('https://openrouter.ai/api/v1/*', ({ request }) => sandbox.fetch(request)),
  )
  beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
  afterAll(() => server.close())
  beforeEach(() => {
    sandbox = createSandbox({ managementKey: MANAGEMENT_KEY })
    ran = []
    setEnvironment()
  })
  afterEach(() => {
    vi.unstubAllGlobals()
    vi.unstubAllEnvs()
    expectNoSecretIn(ran, sandbox)
    expectPrivateFiles(folder(), sandbox)
  })
  const run = async (command: CommandClass, ...argv: string[]) => {
    const outcome = await runCommand(command, argv)
    ran.push(outcome)
    return outcome
  }
  return {
    get sandbox() {
      return sandbox
    },
    replaceSandbox: (options) => {
      sandbox = createSandbox({ managementKey: MANAGEMENT_KEY, ...options })
    },
    run,
    ok: async (command, ...argv) => {
      const outcome = await run(command, ...argv)
      expect(outcome, `${command.name} ${argv.join(' ')}\n${outcome.stderr}${outcome.stdout}`).toMatchObject({
        exitCode: 0,
        thrown: undefined,
      })
      return outcome
    },
    requests: (method) =>
      sandbox.state.requests.filter((request) => method === undefined || request.method === method),
    giveKey: (of, seed) => sandbox.state.addKey({ name: keyNameOf(of), limit: 3, ...seed }),
  }
}

/** The environment of a person who has set the management key and nothing else. */
export function setEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(OPENROUTER_|CLASS_KEYS_|FORCE_COLOR$|DEBUG$)/.test(name)) vi.stubEnv(name, undefined)
  }
  vi.stubEnv('NO_COLOR', '1')
  vi.stubEnv('OPENROUTER_PROVISIONING_KEY', MANAGEMENT_KEY)
}

function expectNoSecretIn(ran: readonly Ran[], sandbox: Sandbox): void {
  const secrets = [MANAGEMENT_KEY, ...sandbox.state.keys().map((key) => key.secret)]
  for (const { stdout, stderr, result, thrown } of ran) {
    const said = [stdout, stderr, JSON.stringify(result) ?? '', everythingOf(thrown)].join('\n')
    for (const secret of secrets)
      expect(said.includes(secret), 'a secret was printed or given back').toBe(false)
    expect(said).not.toMatch(SECRET)
  }
}

/** An error with all that hangs on it, hidden fields and causes too. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error, name)))
  return [...own, everythingOf(error.cause)].join('\n')
}

function expectPrivateFiles(folder: string, sandbox: Sandbox): void {
  const secrets = sandbox.state.keys().map((key) => key.secret)
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const stat = lstatSync(path)
    if (!stat.isFile()) continue
    const text = readFileSync(path, 'latin1')
    expect(text.includes(MANAGEMENT_KEY), `${name} holds the management key`).toBe(false)
    const secret = SECRET.test(text) || secrets.some((each) => text.includes(each))
    if (secret) expect((stat.mode & 0o777).toString(8), `${name} holds a secret`).toBe('600')
  }
}
