/*
 * Measures the built program as a process against a sandbox in this one, and prints medians and ratios; the
 * seconds are this machine's, the ratios are what counts. `npm run bench` builds first.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSandbox, type Sandbox } from '../src/lib/sandbox/sandbox.js'
import { serve } from '../src/lib/sandbox/serve.js'

const PROGRAM = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const LATENCY_MS = 50
const RUNS = Number(process.env.BENCH_RUNS ?? 5)

interface Run {
  seconds: number
  /** The most memory that the process had at a time, in MiB. */
  peak: number
}

const folder = mkdtempSync(join(tmpdir(), 'class-keys-bench-'))
const probe = join(folder, 'probe.mjs')
const peakFile = join(folder, 'peak')
writeFileSync(
  probe,
  `import { writeFileSync } from 'node:fs'
process.on('exit', () => writeFileSync(${JSON.stringify(peakFile)}, String(process.resourceUsage().maxRSS / 1024)))`,
)

/** Runs node with arguments in a folder of its own; `env` tells it where the sandbox is. */
async function node(args: string[], cwd: string, env: Record<string, string> = {}): Promise<Run> {
  const start = performance.now()
  const child = spawn(process.execPath, ['--import', probe, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (data) => {
    said += data
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}: ${said}`)
  return { seconds: (performance.now() - start) / 1000, peak: Number(readFileSync(peakFile, 'utf8')) }
}

/** The median run by time, and the largest memory, of several, each prepared anew. */
async function median(run: () => Promise<Run>, runs = RUNS): Promise<Run> {
  const all: Run[] = []
  for (let i = 0; i < runs; i++) all.push(await run())
  const seconds = all.map((r) => r.seconds).sort((a, b) => a - b)
  return { seconds: seconds[Math.floor(seconds.length / 2)] ?? 0, peak: Math.max(...all.map((r) => r.peak)) }
}

/** A folder with a ledger, and with a roster of so many students; the first `withKey` have a key in the sandbox. */
async function classroom(sandbox: Sandbox, students: number, withKey: number): Promise<string> {
  const cwd = mkdtempSync(join(folder, 'class-'))
  const people = Array.from({ length: students }, (_, i) => ({
    mqId: String(50_000_000 + i),
    name: `First${i} Last${i}`,
  }))
  const rows = people.map(({ mqId }, i) => `First${i},Last${i},s${i}@students.example,${mqId},5,monthly`)
  writeFileSync(
    join(cwd, 'roster.csv'),
    `first_name,last_name,email,mq_id,budget,limit_reset\n${rows.join('\n')}\n`,
  )
  const start = Date.parse('2026-02-19T00:00:00Z')
  for (const [i, { mqId, name }] of people.slice(0, withKey).entries()) {
    sandbox.state.addKey({ name: `20260219_${name}_${mqId}`, limit: 5, created_at: new Date(start + i) })
  }
  await node([PROGRAM, 'init-db'], cwd)
  return cwd
}

/** Serves a sandbox for as long as the work takes. */
async function withSandbox<T>(
  latency: number,
  work: (sandbox: Sandbox, env: Record<string, string>) => Promise<T>,
): Promise<T> {
  const sandbox = createSandbox({ latency })
  const { url, close } = await serve(sandbox)
  try {
    return await work(sandbox, {
      OPENROUTER_BASE_URL: url,
      OPENROUTER_PROVISIONING_KEY: sandbox.managementKey,
    })
  } finally {
    await close()
  }
}

const s = (seconds: number) => `${seconds.toFixed(2)} s`
const times = (ratio: number) => `${ratio.toFixed(2)} times`

async function benchStart(): Promise<void> {
  const empty = join(folder, 'empty.mjs')
  writeFileSync(empty, '')
  const base = await median(() => node([empty], folder), 9)
  for (const [args, bound] of [
    [['--version'], 2.5],
    [['provision', '--help'], 3],
  ] as const) {
    const run = await median(() => node([PROGRAM, ...args], folder), 9)
    const ratio = times(run.seconds / base.seconds)
    console.log(
      `class-keys ${args.join(' ')}: ${s(run.seconds)}, ${ratio} node on an empty file (bound: ${bound})`,
    )
  }
}

async function benchProvision(): Promise<void> {
  const students = 150
  const run = await median(() =>
    withSandbox(LATENCY_MS, async (sandbox, env) =>
      node([PROGRAM, 'provision'], await classroom(sandbox, students, 0), env),
    ),
  )
  const predecessor = students * (1 + LATENCY_MS / 1000)
  const ratio = (predecessor / run.seconds).toFixed(0)
  console.log(
    `provision, ${students} students: ${s(run.seconds)}, ${ratio} times the pace of a creation and a second's pause each (bound: 60)`,
  )
}

async function checkOf(keys: number): Promise<{ run: Run; oneByOne: number }> {
  return withSandbox(LATENCY_MS, async (sandbox, env) => {
    const cwd = await classroom(sandbox, keys * 0.95, keys * 0.95)
    for (let i = 0; i < keys * 0.05; i++) sandbox.state.addKey({ name: `bot-${i}` })
    const start = performance.now()
    for (let offset = 0; offset < keys; offset += 100) {
      const headers = { authorization: `Bearer ${sandbox.managementKey}` }
      await (
        await fetch(`${env.OPENROUTER_BASE_URL}/keys?include_disabled=true&offset=${offset}`, { headers })
      ).json()
    }
    const oneByOne = (performance.now() - start) / 1000
    return { run: await median(() => node([PROGRAM, 'check'], cwd, env)), oneByOne }
  })
}

async function benchCheck(): Promise<void> {
  const small = await checkOf(1_000)
  const large = await checkOf(10_000)
  const ratio = times(large.run.seconds / large.oneByOne)
  console.log(
    `check, 10,000 keys, 9,500 matched: ${s(large.run.seconds)}, ${ratio} fetching the pages one after another (bound: 0.50)`,
  )
  const growth = times(large.run.peak / small.run.peak)
  console.log(
    `check, memory: ${small.run.peak.toFixed(0)} MiB for 1,000 keys, ${large.run.peak.toFixed(0)} MiB for 10,000: ${growth} for 10 times the keys`,
  )
}

async function benchDryRun(): Promise<void> {
  const dryRun = (students: number) =>
    withSandbox(0, async (sandbox, env) => {
      const cwd = await classroom(sandbox, students, students / 2)
      for (let i = 0; i < students / 2; i++) sandbox.state.addKey({ name: `bot-${i}` })
      return median(() => node([PROGRAM, 'provision', '--dry-run'], cwd, env), 3)
    })
  const small = await dryRun(10_000)
  const large = await dryRun(50_000)
  const ratio = times(large.seconds / small.seconds)
  console.log(
    `provision --dry-run: ${s(small.seconds)} for 10,000 students and keys, ${s(large.seconds)} for 50,000: ${ratio} for 5 times as many`,
  )
}

try {
  console.log(`Node ${process.version}, ${LATENCY_MS} ms of latency, medians of ${RUNS} runs`)
  await benchStart()
  await benchProvision()
  await benchCheck()
  await benchDryRun()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
