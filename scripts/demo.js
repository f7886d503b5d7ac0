// A class's term against the sandbox: shows each command as a person would type it, with what it prints.
// Leaves the files in a new folder, or in the one that is named: node scripts/demo.js [FOLDER]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'bin', 'run.js')
const folder = resolve(process.argv[2] ?? join(root, `demo-${timestamp()}`))
const env = environment()

mkdirSync(folder, { recursive: true })
cpSync(join(root, 'examples', 'roster.csv'), join(folder, 'roster.csv'))

const sandbox = await startSandbox()
process.once('exit', () => sandbox.kill())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

say(
  'The ledger comes first, then a look at what is in OpenRouter: keys of other classes, and four of this one.',
)
await classKeys('init-db')
await classKeys('check')

say('What would happen to the 120 students of the roster? Then, for real.')
await classKeys('provision', '--dry-run')
await classKeys('provision')

say(
  'One student needs more, and one has left. Both are asked for in limits.csv, by hand or in a spreadsheet.',
)
setTarget('oliver.oconnor@students.mq.edu.au', 'target_limit', '12.50')
setTarget('priya.raman@students.mq.edu.au', 'target_disabled', 'true')
await classKeys('update', '--dry-run')
await classKeys('update')
await classKeys('refresh-limits-file')

say('All keys of the class with their secrets, once more, and a last look.')
await classKeys('export-keys')
await classKeys('check')

const place = relative(process.cwd(), folder)
say(
  `The files are in ${place.startsWith('..') ? folder : place}; their keys open nothing but the sandbox, which ends now.`,
)
print(readdirSync(folder).join('  '))
process.exit(0)

/** The sandbox as a process of its own, ready; the two lines that it prints go into the environment. */
async function startSandbox() {
  const args = ['sandbox', '--keys', '110', '--port', '0']
  show(args)
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let remarks = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (remarks += text))
  child.once('exit', (code) => fail(`the sandbox ended with ${code}: ${remarks.trim()}`))
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    const settings = [...output.matchAll(/^export (\w+)=(.+)\n/gm)]
    if (settings.length < 2) continue
    for (const [, name, value] of settings) env[name] = value
    break
  }
  print(output.trimEnd())
  return child
}

/** Runs one command of the tool, and ends the demo if it fails. */
async function classKeys(...args) {
  show(args)
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  print(shortened(output.trimEnd()))
  if (code !== 0) fail(`class-keys ${args.join(' ')} ended with ${code}`)
}

/** Writes a target into limits.csv, as a person would in an editor. */
function setTarget(email, column, value) {
  const path = join(folder, 'limits.csv')
  const [header, ...rows] = readFileSync(path, 'utf8').trimEnd().split('\n')
  const place = header.split(',').indexOf(column)
  const row = rows.findIndex((line) => line.startsWith(`${email},`))
  const cells = rows[row]?.split(',') ?? fail(`limits.csv has no ${email}`)
  cells[place] = value
  rows[row] = cells.join(',')
  writeFileSync(path, `${[header, ...rows].join('\n')}\n`)
  print(`  limits.csv, ${email}: ${column} is now ${value}`)
}

/** Long tables are cut: their first and last lines, and how many are between. */
function shortened(text) {
  const blocks = text.split('\n\n').map((block) => {
    const lines = block.split('\n')
    if (lines.length <= 16) return block
    return [...lines.slice(0, 8), `… ${lines.length - 13} more lines`, ...lines.slice(-5)].join('\n')
  })
  return blocks.join('\n\n')
}

/** Settings of the person who runs the demo have no place in it: it must never reach the real OpenRouter. */
function environment() {
  const mine = Object.entries(process.env).filter(([name]) => !/^(OPENROUTER|CLASS_KEYS)_/.test(name))
  return { ...Object.fromEntries(mine), COLUMNS: String(Math.max(process.stdout.columns ?? 100, 80)) }
}

function timestamp() {
  return new Date().toLocaleString('sv-SE').replace(/[-:]/g, '').replace(' ', '_')
}

function say(text) {
  print(`\n# ${text}`)
}

function show(args) {
  print(`\n$ class-keys ${args.join(' ')}`)
}

function print(text) {
  console.log(text)
}

function fail(message) {
  console.error(`The demo failed: ${message}.`)
  process.exit(1)
}
