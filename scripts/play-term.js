// Plays a term of a small class against the sandbox, with the Node that runs this, and looks at every exit code:
//   node scripts/play-term.js PROGRAM [TIMES]
// PROGRAM is bin/run.js of an installed class-keys. An abort that strikes once in a while shows only in many runs.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [program = '', times = '15'] = process.argv.slice(2)
const bin = resolve(program)

const HEADER = 'first_name,last_name,email,mq_id,budget,limit_reset'
const STUDENTS = Array.from(
  { length: 12 },
  (_, i) => `First${i},Last${i},s${i}@students.example,${50_000_000 + i},5,weekly`,
)

/** The commands of a term, with what each must exit with; a step that is a function does what a person would. */
const TERM = [
  [0, '--version'],
  [0, '--help'],
  [0, 'provision', '--help'],
  [0, 'help', 'update'],
  [0, 'autocomplete', 'bash'],
  [2, 'chekc'],
  [2, 'check'],
  () => {
    env = settings
  },
  () => writeRoster(STUDENTS),
  [0, 'init-db'],
  [0, 'init-db'],
  [0, 'check'],
  [3, 'check', '--exit-code'],
  [0, 'provision', '--dry-run'],
  [0, 'provision', '--yes'],
  [0, 'check', '--json'],
  () => setTarget('s3@students.example', 'target_limit', '12.50'),
  [0, 'update', '--dry-run'],
  [0, 'update', '--yes'],
  [0, 'refresh-limits-file'],
  [0, 'show', '50000003'],
  [0, 'show', '50000003', '--reveal'],
  [2, 'show', 'nobody at all'],
  [0, 'rotate', '50000003', '--yes'],
  [4, 'rotate', '--all', '--yes'],
  [0, 'rotate', '--all', '--yes', '--force'],
  [0, 'export-keys'],
  () => writeRoster(STUDENTS.slice(1)),
  [0, 'offboard', '--dry-run'],
  [0, 'offboard', '--yes'],
  [0, 'offboard', '--end-of-term', '--yes', '--force'],
  [0, 'history'],
  [0, 'history', '--csv'],
]

let folder = ''
/** The settings that lead to the sandbox, and those that the commands get. */
let settings = {}
let env = {}
let passed = 0
const failed = []

for (let n = 1; n <= Number(times); n++) {
  folder = mkdtempSync(join(tmpdir(), 'class-keys term '))
  env = {}
  const sandbox = await startSandbox()
  try {
    for (const step of TERM) {
      if (typeof step === 'function') step()
      else play(step)
    }
  } finally {
    const ended = new Promise((done) => sandbox.once('close', (code, signal) => done(code ?? signal)))
    sandbox.kill('SIGTERM')
    // Windows has no signals: there a program is ended from outside.
    count(['sandbox'], await ended, process.platform === 'win32' ? 'SIGTERM' : 0)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

for (const line of failed) console.error(line)
console.log(
  `${passed} passed, ${failed.length} failed: Node ${process.version} on ${process.platform}-${process.arch}`,
)
process.exitCode = failed.length === 0 ? 0 : 1

/** Runs one command, and compares what it exits with. */
function play([expected, ...args]) {
  const options = { cwd: folder, env: { ...clean(), ...env }, encoding: 'utf8' }
  const { status, signal, stderr } = spawnSync(process.execPath, [bin, ...args], options)
  count(args, status ?? signal, expected, stderr)
}

function count(args, code, expected, said = '') {
  if (code === expected) passed++
  else failed.push(`${args.join(' ')} ended with ${code} instead of ${expected}: ${said.trim()}`)
}

/** What a machine needs to run a program, and no setting of the person who runs this. */
function clean() {
  const needed = ['PATH', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR', 'USERPROFILE', 'LOCALAPPDATA']
  const kept = needed.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]))
  return { ...Object.fromEntries(kept), HOME: folder }
}

async function startSandbox() {
  const args = [bin, 'sandbox', '--port', '0', '--keys', '3', '--json']
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: clean(),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    if (!/\}\s*$/.test(output)) continue
    const { url, managementKey } = JSON.parse(output)
    settings = { OPENROUTER_BASE_URL: url, OPENROUTER_PROVISIONING_KEY: managementKey }
    break
  }
  return child
}

function writeRoster(students) {
  writeFileSync(join(folder, 'roster.csv'), `${[HEADER, ...students].join('\n')}\n`)
}

/** Writes a target into limits.csv, as a person would in an editor. */
function setTarget(email, column, value) {
  const path = join(folder, 'limits.csv')
  const [header, ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const place = header.split(',').indexOf(column)
  if (place < 0 || !rows.some((row) => row.startsWith(`${email},`)))
    throw new Error(`limits.csv has no ${column} of ${email}`)
  const changed = rows.map((row) => {
    const cells = row.split(',')
    if (cells[0] === email) cells[place] = value
    return cells.join(',')
  })
  writeFileSync(path, `${[header, ...changed].join('\n')}\n`)
}
