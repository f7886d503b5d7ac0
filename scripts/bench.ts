/*
 * Measures the built program as a process against a sandbox in this one, and prints medians and ratios; the
 * seconds are this machine's, the ratios are what counts. `npm run bench` builds first.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSandbox, type Sandbox } from '../src/lib/sandbox/sandbox.js'
import { serve } from '../src/lib/sandbox/serve.js'

const PROGRAM = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const LATENCY_MS = 50
const RUNS = Number(process.env.BENCH_RUNS ?? 5)
/** A start is short, and its time scatters. */
const STARTS = 21

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

const middle = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** The median run by time, and the largest memory, of several, each prepared anew. */
async function median(run: () => Promise<Run>, runs = RUNS): Promise<Run> {
  const all: Run[] = []
  for (let i = 0; i < runs; i++) all.push(await run())
  return { seconds: middle(all.map((r) => r.seconds)), peak: Math.max(...all.map((r) => r.peak)) }
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

/** Each start in turn with an empty Node, so that both meet the same machine; the ratio of their medians. */
async function benchStart(): Promise<void> {
  const empty = join(folder, 'empty.mjs')
  writeFileSync(empty, '')
  const cwd = await withSandbox(0, async (sandbox, env) => {
    const class120 = await classroom(sandbox, 120, 0)
    await node([PROGRAM, 'provision'], class120, env)
    return class120
  })
  for (const [args, bound] of [
    [['--version'], 2],
    [['--help'], 2],
    [['provision', '--help'], 2.5],
    [['history'], 4],
  ] as const) {
    await plainNode([PROGRAM, ...args], cwd)
    const [ours, base]: [number[], number[]] = [[], []]
    for (let i = 0; i < STARTS; i++) {
      base.push(await plainNode([empty], cwd))
      ours.push(await plainNode([PROGRAM, ...args], cwd))
    }
    const ratio = times(middle(ours) / middle(base))
    console.log(
      `class-keys ${args.join(' ')}: ${(middle(ours) * 1000).toFixed(0)} ms, ${ratio} node on an empty file, ${(middle(base) * 1000).toFixed(0)} ms (bound: ${bound})`,
    )
  }
}

/** Seconds that a Node takes, with nothing loaded to look at it. */
async function plainNode(args: string[], cwd: string): Promise<number> {
  const start = performance.now()
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' })
  const code = await new Promise((resolve) => child.on('close', resolve))
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}`)
  return (performance.now() - start) / 1000
}

/** What it takes to install the packed program, and a clone, from an empty cache; needs the npm registry. */
function benchInstall(): void {
  const npm = (args: string[], cwd = '.') => {
    const start = performance.now()
    execFileSync('npm', [...args, '--cache', mkdtempSync(join(folder, 'cache-')), '--silent'], {
      cwd,
      stdio: 'ignore',
    })
    return (performance.now() - start) / 1000
  }
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    stdio: 'ignore',
  })
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '')
  const prefix = join(folder, 'prefix')
  mkdirSync(prefix)
  const global = npm(['install', '--global', '--prefix', prefix, tarball])
  const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  console.log(`npm install -g of the tarball: ${s(global)} (bound: 10 s)`)
  console.log(
    `packed: ${mib(statSync(tarball).size)}; installed: ${mib(sizeOf(prefix))}, in ${filesIn(prefix).length} files`,
  )
  const clone = join(folder, 'clone')
  execFileSync('git', ['clone', '--quiet', '.', clone])
  console.log(`npm ci of a clone: ${s(npm(['ci'], clone))} (bound: 25 s)`)
}

function filesIn(path: string): string[] {
  const all = readdirSync(path, { recursive: true, withFileTypes: true })
  return all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function sizeOf(path: string): number {
  return filesIn(path).reduce((sum, file) => sum + statSync(file).size, 0)
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
    `provision, ${students} students: ${s(run.seconds)}, ${ratio} times the pace of a creation and a second's pause each (bound: 100)`,
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
    `check, 10,000 keys, 9,500 matched: ${s(large.run.seconds)}, ${ratio} fetching the pages one after another (bound: 0.35)`,
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
  benchInstall()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
