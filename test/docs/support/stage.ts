import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createSandbox, type Sandbox } from '../../../src/lib/sandbox/sandbox.js'
import { serve } from '../../../src/lib/sandbox/serve.js'
import type { SandboxKey } from '../../../src/lib/sandbox/state.js'
import { MANAGEMENT_KEY, newFolder } from '../../e2e/support/classroom.js'
import { PROGRAM } from '../../e2e/support/program.js'
import { ROOT } from '../../support/command.js'
import { writePythonLedger } from '../../support/python-ledger.js'

const NAMES = [
  'Ada Quill',
  'Bilal Marsh',
  'Chiara Okafor',
  'Dov Lindqvist',
  'Eleni Tanaka',
  'Farid Varga',
  'Greta Ibarra',
  'Hana Novak',
  'Ivo Petrou',
  'Jun Ashdown',
  'Kofi Rahimi',
  'Malik Dufour',
]
const RESETS = ['', 'weekly', '']

/** The folder of a person who follows a page, with a sandbox in the place of OpenRouter. */
export interface Stage {
  /** Runs a command of a page in a shell, and gives the lines that a person sees. */
  run(command: string): Promise<string[]>
  /** Lets something happen that a comment of the page tells. */
  happen(words: string): Promise<void>
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  let sandbox = createSandbox({ managementKey: MANAGEMENT_KEY })
  const base = newFolder()
  const folder = join(base, 'class')
  mkdirSync(folder)
  mkdirSync(join(base, 'bin'))
  writeFileSync(
    join(base, 'bin', 'class-keys'),
    `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`,
    {
      mode: 0o755,
    },
  )
  let end: { creation: number; signal: NodeJS.Signals } | undefined
  let group: number | undefined
  let creations = 0
  const served = await serve({
    fetch: async (request) => {
      const isCreation = request.method === 'POST' && request.url.endsWith('/keys')
      if (isCreation) creations += 1
      const answer = await sandbox.fetch(request)
      if (isCreation && end && group && creations >= end.creation) {
        process.kill(-group, end.signal)
        end = undefined
      }
      return answer
    },
  })
  const env = {
    PATH: `${join(base, 'bin')}:${process.env.PATH}`,
    HOME: base,
    LC_ALL: 'C.UTF-8',
    TZ: 'Australia/Sydney',
    COLUMNS: '100',
    NO_COLOR: '1',
    OPENROUTER_BASE_URL: served.url,
    OPENROUTER_PROVISIONING_KEY: MANAGEMENT_KEY,
  }
  let status = 0
  let place = folder
  const run = async (command: string) => {
    const path = join(base, 'printed')
    const where = join(base, 'pwd')
    // One file for both streams keeps the order in which a person sees them.
    const output = openSync(path, 'w')
    creations = 0
    const child = spawn(
      'sh',
      ['-c', `(exit ${status})\n${command}\nstatus=$?; pwd > '${where}'; exit $status`],
      {
        cwd: place,
        env,
        stdio: ['ignore', output, output],
        detached: true,
      },
    )
    group = child.pid
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    closeSync(output)
    if (existsSync(where)) place = readFileSync(where, 'utf8').trimEnd()
    status = code ?? 128 + (signal ? constants.signals[signal] : 0)
    const text = readFileSync(path, 'utf8').trimEnd()
    return text === '' ? [] : forPaper(text).split('\n')
  }
  const must = async (command: string) => {
    const printed = await run(command)
    if (status !== 0) throw new Error(`${command} ended with ${status}:\n${printed.join('\n')}`)
  }
  const happenings: [RegExp, (...words: string[]) => void | Promise<void>][] = [
    [
      /^start: class of (\d+)(, provisioned)?$/,
      async (count, provisioned) => {
        writeFileSync(join(folder, 'roster.csv'), roster(Number(count)))
        if (provisioned)
          await must('class-keys init-db && class-keys provision --concurrency 1 && rm api_keys_*')
      },
    ],
    [
      /^start: example class, (\d+) keys$/,
      (keys) => {
        sandbox = createSandbox({ managementKey: MANAGEMENT_KEY, keys: Number(keys) })
        copyFileSync(join(ROOT, 'examples/roster.csv'), join(folder, 'roster.csv'))
      },
    ],
    [/^start: class of (\d+) of the Python tool$/, (count) => pythonClass(sandbox, folder, Number(count))],
    [
      /^start: two classes of (\d+), workspaces (\w+) and (\w+)$/,
      (count, ...courses) => {
        for (const [i, course] of courses.entries()) {
          sandbox.state.addWorkspace({ name: course, slug: course.toLowerCase() })
          const place = join(folder, course.toLowerCase())
          mkdirSync(place)
          writeFileSync(join(place, 'roster.csv'), roster(Number(count), i * Number(count)))
        }
      },
    ],
    [/^usage: (.+) (\S+)$/, (name, usd) => sandbox.state.addUsage(keyOf(sandbox, name).hash, Number(usd))],
    [/^dashboard: limit of (.+) (\S+)$/, (name, usd) => edit(sandbox, name, { limit: Number(usd) })],
    [/^dashboard: key of (.+) named (.+)$/, (student, name) => edit(sandbox, student, { name })],
    [/^dashboard: (.+) disabled$/, (name) => edit(sandbox, name, { disabled: true })],
    [/^dashboard: \$(\d+) bought$/, (usd) => sandbox.state.setCredits(Number(usd))],
    [
      /^at creation (\d+): (SIG\w+)$/,
      (creation, signal) => {
        end = { creation: Number(creation), signal: signal as NodeJS.Signals }
      },
    ],
  ]
  return {
    run,
    happen: async (words) => {
      for (const [pattern, act] of happenings) {
        const found = pattern.exec(words)
        if (found) return act(...found.slice(1))
      }
      throw new Error(`nobody knows how this happens: ${words}`)
    },
    close: async () => {
      await served.close()
      rmSync(base, { recursive: true, force: true })
    },
  }
}

function person(n: number) {
  const name = NAMES[n] ?? ''
  const [first = '', last = ''] = name.split(' ')
  const email = `${first}.${last}@students.example.edu`.toLowerCase()
  return { name, first, last, email, mqId: String(48_200_001 + n), reset: RESETS[n % 3] ?? '' }
}

function roster(count: number, from = 0): string {
  const rows = Array.from({ length: count }, (_, i) => {
    const { first, last, email, mqId, reset } = person(from + i)
    return `${first},${last},${email},${mqId},5,${reset}\n`
  })
  return `first_name,last_name,email,mq_id,budget,limit_reset\n${rows.join('')}`
}

/** The one key of a student that works. */
function keyOf(sandbox: Sandbox, name = ''): SandboxKey {
  const keys = sandbox.state.keys().filter((key) => key.name.includes(`_${name}_`) && !key.disabled)
  const [key] = keys
  if (key === undefined || keys.length > 1) throw new Error(`${name} has ${keys.length} keys that work`)
  return key
}

function edit(
  sandbox: Sandbox,
  name: string | undefined,
  change: { limit?: number; disabled?: boolean; name?: string },
) {
  sandbox.state.editKey(keyOf(sandbox, name).hash, change)
}

/** What the Python tool leaves behind: keys, a ledger without their secrets, and a roster. */
function pythonClass(sandbox: Sandbox, folder: string, count: number): void {
  writeFileSync(join(folder, 'roster.csv'), roster(count))
  const made = Array.from({ length: count }, (_, i) => {
    const { email, first, last, name: fullName, mqId } = person(i)
    const name = `20260219_${fullName}_${mqId}`
    const created_at = new Date('2026-02-19T01:00:00Z')
    const { hash } = sandbox.state.addKey({ name, limit: 5, usage: 1.25 * i, created_at })
    return { student: { email, first, last, mqId }, key: { hash, email, name, limit: 5 } }
  })
  writePythonLedger(join(folder, 'keys.db'), {
    students: made.map(({ student }) => student),
    keys: made.map(({ key }) => key),
  })
}

/** No page holds a secret, and nobody who follows one is so quick that two files are of the same second. */
function forPaper(text: string): string {
  return text.replace(/sk-or-v1-[0-9a-f]{64}/g, 'sk-or-v1-…').replace(/(\d{8}_\d{6})-\d+/g, '$1')
}
