import { createServer } from 'node:net'
import { expect, test, vi } from 'vitest'
import Check from '../../src/commands/check.js'
import InitDb from '../../src/commands/init-db.js'
import Provision from '../../src/commands/provision.js'
import Sandbox from '../../src/commands/sandbox.js'
import { SANDBOX_MANAGEMENT_KEY } from '../../src/lib/sandbox/sandbox.js'
import { setEnvironment } from '../support/classroom.js'
import { type Ran, runCommand } from '../support/command.js'
import { names, only, useFolder } from '../support/folder.js'
import { readCsv, students, writeRoster } from '../support/people.js'

useFolder()

/** Runs the command until it has printed where it is, does some work with it, and ends it as Ctrl-C does. */
async function serving(
  argv: string[],
  work: (url: string) => Promise<void>,
  signal: NodeJS.Signals = 'SIGINT',
) {
  setEnvironment()
  let failed: unknown
  let begun = false
  const ran: Ran = await runCommand(Sandbox, argv, ({ stdout }) => {
    const url = /https?:\/\/127\.0\.0\.1:\d+\/api\/v1/.exec(stdout)?.[0]
    if (!url || begun) return
    begun = true
    // After the command has had the time to listen for signals.
    setImmediate(() =>
      work(url)
        .catch((error: unknown) => {
          failed = error
        })
        .finally(() => process.emit(signal, signal)),
    )
  })
  if (failed) throw failed
  return ran
}

const list = (url: string, key = SANDBOX_MANAGEMENT_KEY) =>
  fetch(`${url}/keys?include_disabled=true`, { headers: { authorization: `Bearer ${key}` } })

test('serves on this machine alone, prints the two export lines on standard output, and ends with Ctrl-C', async () => {
  let served = ''
  const { stdout, stderr, exitCode } = await serving(['--port', '0'], async (url) => {
    served = url
    expect((await list(url)).status).toBe(200)
  })
  expect(exitCode).toBe(0)
  expect(stdout).toBe(
    `export OPENROUTER_BASE_URL=${served}\nexport OPENROUTER_PROVISIONING_KEY=${SANDBOX_MANAGEMENT_KEY}\n`,
  )
  expect(stderr).toContain('Start the sandbox: http://127.0.0.1:')
  expect(stderr).toContain('Paste these two lines into another terminal.')
  await expect(list(served)).rejects.toThrow('fetch failed')
})

test.each(['SIGTERM', 'SIGHUP'] as const)(
  'ends with %s too, and leaves no listener behind',
  async (signal) => {
    const before = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => process.listenerCount(name))
    await serving(['--port', '0'], async () => {}, signal)
    expect(['SIGINT', 'SIGTERM', 'SIGHUP'].map((name) => process.listenerCount(name))).toEqual(before)
  },
)

test('the two lines point the other commands at it: a class gets its keys', async () => {
  await serving(['--port', '0', '--keys', '130'], async (url) => {
    vi.stubEnv('OPENROUTER_BASE_URL', url)
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', SANDBOX_MANAGEMENT_KEY)
    writeRoster(students(5).map((each) => ({ ...each, mq_id: `new${each.mq_id}` })))
    expect((await runCommand(InitDb, [])).exitCode).toBe(0)
    expect((await runCommand(Provision, ['--json'])).json.counts).toEqual({ created: 5 })
    expect((await runCommand(Check, ['--json'])).json.counts).toMatchObject({ keys: 135, matched: 5 })
  })
  expect(readCsv(only(/^api_keys_/))).toHaveLength(5)
})

test('--keys is the number of keys that are there', async () => {
  await serving(['--port', '0', '--keys', '7'], async (url) => {
    const { data } = (await (await list(url)).json()) as { data: unknown[] }
    expect(data).toHaveLength(7)
  })
})

test('--latency is how long each answer takes at least', async () => {
  await serving(['--port', '0', '--latency', '80'], async (url) => {
    const started = performance.now()
    await list(url)
    expect(performance.now() - started).toBeGreaterThanOrEqual(75)
  })
})

test('--json prints one document as soon as it is ready, and nothing else', async () => {
  let served = ''
  const { json, stderr } = await serving(['--port', '0', '--keys', '3', '--json'], async (url) => {
    served = url
  })
  expect(json).toEqual({ url: served, managementKey: SANDBOX_MANAGEMENT_KEY, keys: 3 })
  expect(stderr).toBe('')
})

test('a wrong key is refused', async () => {
  await serving(['--port', '0'], async (url) => {
    expect((await list(url, 'sk-or-v1-of-nobody')).status).toBe(401)
  })
})

test('a port that is taken is said in words', async () => {
  setEnvironment()
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  const human = await runCommand(Sandbox, ['--port', String(port)])
  const machine = await runCommand(Sandbox, ['--port', String(port), '--json'])
  other.close()
  expect(human.exitCode).toBe(1)
  expect(human.stderr).toContain(
    `Error: Port ${port} cannot be used (EADDRINUSE). Choose another with --port`,
  )
  expect(human.stdout).toBe('')
  expect(machine.json.error).toMatchObject({ code: 'port_taken', exitCode: 1 })
})

test.each([
  ['--port', '70000'],
  ['--port', 'http'],
  ['--keys', '-1'],
  ['--latency', '-5'],
])('%s %s is wrong usage', async (flag, value) => {
  setEnvironment()
  expect((await runCommand(Sandbox, [`${flag}=${value}`])).exitCode).toBe(2)
})

test('needs no ledger, no roster and no key, and writes no file', async () => {
  await serving(['--port', '0'], async () => {
    vi.stubEnv('OPENROUTER_PROVISIONING_KEY', undefined)
  })
  expect(names()).toEqual([])
})
