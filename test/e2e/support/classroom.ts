import {
  accessSync,
  chmodSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSandbox, type Sandbox, type SandboxOptions } from '../../../src/lib/sandbox/sandbox.js'
import { type ServedSandbox, serve } from '../../../src/lib/sandbox/serve.js'
import { type Ended, type Running, type RunOptions, run, start } from './program.js'

/** A made-up person of a roster. */
export interface Pupil {
  first: string
  last: string
  email: string
  mqId: string
  budget: string
  reset: string
}

/** The management key of every sandbox of these tests: another one than the sandbox's own, which is public. */
export const MANAGEMENT_KEY = 'sk-or-v1-5afe0000management0000of0000the0000tests0000only'

const FIRST = ['Ada', 'Bruno', 'Chiara', 'Dmitri', 'Esi', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jomo']
const LAST = ['Quill', 'Rowan', 'Sable', 'Thorn', 'Umber', 'Vale', 'Wren', 'Yarrow', 'Zephyr']

/** The nth made-up person; two of different numbers share neither address nor MQ ID. */
export function pupil(n: number): Pupil {
  const first = FIRST[(n - 1) % FIRST.length] ?? ''
  const last = LAST[(n - 1) % LAST.length] ?? ''
  return {
    first,
    last,
    email: `${first}.${last}${n}@students.example.edu`.toLowerCase(),
    mqId: String(46_100_000 + n),
    budget: n % 3 === 0 ? '2.50' : '5',
    reset: ['', 'weekly', 'monthly'][n % 3] ?? '',
  }
}

/** The made-up people from number 1 on. */
export function pupils(count: number): Pupil[] {
  return Array.from({ length: count }, (_, i) => pupil(i + 1))
}

export function rosterText(people: readonly Pupil[]): string {
  const rows = people.map((p) => [p.first, p.last, p.email, p.mqId, p.budget, p.reset].join(','))
  return `${['first_name,last_name,email,mq_id,budget,limit_reset', ...rows].join('\n')}\n`
}

/** Where folders are quick, and no other program's work is in the way: in the memory, where there is plenty of it. */
const MEMORY = '/dev/shm'
const ENOUGH_BYTES = 2 ** 30

function hasRoom(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize >= ENOUGH_BYTES
  } catch {
    return false
  }
}

const base = hasRoom(MEMORY) ? MEMORY : tmpdir()
const folders: string[] = []

/** A new folder of its own, that goes with the tests of this file. */
export function newFolder(): string {
  const folder = mkdtempSync(join(base, 'class-keys-test-'))
  folders.push(folder)
  return folder
}

/** Takes away all folders; for `afterAll`. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) {
    chmodSync(folder, 0o700)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A folder with a roster, and a sandbox in this very process, into which a test can look. */
export interface Classroom {
  folder: string
  people: Pupil[]
  sandbox: Sandbox
  served: ServedSandbox
  /** What leads the program to the sandbox. */
  env: NodeJS.ProcessEnv
  run(args: readonly string[], more?: Partial<RunOptions>): Promise<Ended>
  start(args: readonly string[], more?: Partial<RunOptions>): Running
  /** The names of the files in the folder, hidden ones too, sorted. */
  files(): string[]
  read(name: string): string
  write(name: string, text: string): void
  close(): Promise<void>
}

/**
 * Opens a classroom.
 * @param between may stand between the program and the sandbox: it gets each request and the sandbox's answer to it
 */
export async function openClassroom(
  people: Pupil[],
  options: SandboxOptions = {},
  between: (request: Request, answer: (request: Request) => Promise<Response>) => Promise<Response> = (
    request,
    answer,
  ) => answer(request),
): Promise<Classroom> {
  const sandbox = createSandbox({ managementKey: MANAGEMENT_KEY, ...options })
  const served = await serve({ fetch: (request) => between(request, (r) => sandbox.fetch(r)) })
  const folder = newFolder()
  const env = { OPENROUTER_BASE_URL: served.url, OPENROUTER_PROVISIONING_KEY: MANAGEMENT_KEY }
  const withEnv = (more: Partial<RunOptions> = {}) => ({
    cwd: folder,
    ...more,
    env: { ...env, ...more.env },
  })
  writeFileSync(join(folder, 'roster.csv'), rosterText(people))
  return {
    folder,
    people,
    sandbox,
    served,
    env,
    run: (args, more) => run(args, withEnv(more)),
    start: (args, more) => start(args, withEnv(more)),
    files: () => readdirSync(folder).sort(),
    read: (name) => readFileSync(join(folder, name), 'utf8'),
    write: (name, text) => writeFileSync(join(folder, name), text),
    close: () => served.close(),
  }
}

/** The rows of a CSV file that the program has written, by column; none of ours has a quoted cell with a comma. */
export function csvRows(text: string): Record<string, string>[] {
  const [header = '', ...lines] = text.trimEnd().split('\n')
  const columns = header.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [columns[i] ?? '', cell])))
}

/** A limits.csv with targets for some people, found by their addresses. */
export function limitsText(
  targets: readonly { email: string; limit?: string | undefined; disabled?: string | undefined }[],
): string {
  const rows = targets.map(({ email, limit = '', disabled = '' }) => `${email},${limit},${disabled}`)
  return `${['email,target_limit,target_disabled', ...rows].join('\n')}\n`
}
