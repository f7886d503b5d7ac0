import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SRC = join(ROOT, 'src')

/** One import in the text of a source. */
interface Import {
  /** From `src/`: `db/open.ts`. */
  from: string
  /** A source by its path from `src/`, or a package or node module by its name. */
  to: string
  /** Whether only types are imported, of which nothing is left when the program runs. */
  typeOnly: boolean
  names: string
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
const text = new Map(sources.map((path) => [path, readFileSync(join(SRC, path), 'utf8')]))
const imports = sources.flatMap(importsOf)

function importsOf(from: string): Import[] {
  const source = text.get(from) ?? ''
  const statements = source.matchAll(/^(?:import|export)\s+(type\s+)?([^'";]*?)\s*from\s*'([^']+)'/gm)
  const bare = source.matchAll(/^import\s+'([^']+)'/gm)
  const dynamic = source.matchAll(/\bimport\(\s*'([^']+)'/g)
  const found = [
    ...[...statements].map(([, type, names = '', target = '']) => ({
      target,
      names,
      typeOnly: type !== undefined || everyNameIsType(names),
    })),
    ...[...bare, ...dynamic].map(([, target = '']) => ({ target, names: '', typeOnly: false })),
  ]
  return found.map(({ target, names, typeOnly }) => ({ from, to: resolved(from, target), names, typeOnly }))
}

function everyNameIsType(names: string): boolean {
  const inBraces = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1]
  const each = inBraces
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  return each !== undefined && each.length > 0 && each.every((name) => name.startsWith('type '))
}

/** A source by its path from `src/`; a package without what is inside it: `drizzle-orm/sqlite-core` is `drizzle-orm`. */
function resolved(from: string, target: string): string {
  if (target.startsWith('.')) return posix.join(dirname(from), target).replace(/\.js$/, '.ts')
  if (target.startsWith('node:')) return target
  const parts = target.split('/')
  return parts.slice(0, target.startsWith('@') ? 2 : 1).join('/')
}

const isSource = (to: string) => text.has(to)
const isBuiltin = (to: string) => to.startsWith('node:') || builtinModules.includes(to)
const within = (folder: string) => (path: string) => path.startsWith(`${folder}/`)
const of = (folder: string) => imports.filter(({ from }) => within(folder)(from))

/** The imports as a person would write them down, so that a failure says at once which one it is. */
const said = (found: readonly Import[]) =>
  found.map(({ from, to, names }) => `${from} imports ${names} from ${to}`)

/** The imports of a folder that are of none of the kinds that it may have. */
function forbidden(folder: string, ...allowed: ((to: string, of: Import) => boolean)[]): string[] {
  return said(of(folder).filter((each) => !allowed.some((may) => may(each.to, each))))
}

test('every import is understood: it leads to a source, a package that is installed for it, or node itself', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  // The build puts nearly all of them into one bundle: what it leaves outside is tested with the tarball.
  const installed = { ...dependencies, ...devDependencies }
  const unknown = imports.filter(({ to }) => !isSource(to) && !isBuiltin(to) && !(to in installed))
  expect(said(unknown)).toEqual([])
  // What is written as `import` is also found as one.
  for (const [path, source] of text) {
    const written = source.match(/^import\b/gm)?.length ?? 0
    expect(imports.filter(({ from }) => from === path).length, path).toBeGreaterThanOrEqual(written)
  }
  expect(sources.length).toBeGreaterThan(60)
})

describe('a folder tells what a file in it may touch', () => {
  test('core imports nothing but zod and itself', () => {
    expect(forbidden('lib/core', within('lib/core'), (to) => to === 'zod')).toEqual([])
  })

  test('core has no files, network, clock, chance, process or console', () => {
    const impure =
      /\b(process|console|fetch|setTimeout|setInterval|require|globalThis)\b(?!['’])\s*[.(]|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\./
    const found = [...text]
      .filter(([path]) => within('lib/core')(path))
      .flatMap(([path, source]) =>
        source
          .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
          .split('\n')
          .filter((line) => impure.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      )
    expect(found).toEqual([])
  })

  test('openrouter, files and db do not know each other, nor anything above them', () => {
    const outside = (to: string) => !isSource(to)
    expect(forbidden('lib/openrouter', within('lib/openrouter'), within('lib/core'), outside)).toEqual([])
    expect(forbidden('lib/files', within('lib/files'), within('lib/core'), outside)).toEqual([])
    expect(forbidden('db', within('db'), within('lib/core'), outside)).toEqual([])
  })

  test('sandbox imports only itself, zod and node', () => {
    expect(forbidden('lib/sandbox', within('lib/sandbox'), (to) => to === 'zod', isBuiltin)).toEqual([])
  })

  test('terminal knows core, and of openrouter only types and errors', () => {
    const may = (to: string, { typeOnly }: Import) =>
      to === 'lib/openrouter/errors.ts' || (within('lib/openrouter')(to) && typeOnly)
    expect(
      forbidden('lib/terminal', within('lib/terminal'), within('lib/core'), may, (to) => !isSource(to)),
    ).toEqual([])
  })

  test('views are data in, lines out', () => {
    const layout = ['table', 'colour', 'chart'].map((name) => `lib/terminal/${name}.ts`)
    const may = (to: string) => layout.includes(to)
    expect(forbidden('lib/terminal/views', within('lib/terminal/views'), within('lib/core'), may)).toEqual([])
  })

  test('runs know core, openrouter, files and db, but neither terminal nor commands', () => {
    const lower = ['lib/runs', 'lib/core', 'lib/openrouter', 'lib/files', 'db'].map(within)
    expect(forbidden('lib/runs', ...lower, isBuiltin)).toEqual([])
  })

  test('nothing imports the commands, and no command another', () => {
    expect(said(imports.filter(({ to }) => within('commands')(to)))).toEqual([])
  })

  test('nothing but the command of that name knows the sandbox', () => {
    const outside = imports.filter(
      ({ from, to }) => within('lib/sandbox')(to) && !within('lib/sandbox')(from),
    )
    expect(outside.filter(({ from }) => from !== 'commands/sandbox.ts')).toEqual([])
  })
})

describe('a package that may have to be exchanged is behind one folder or file', () => {
  const users = (name: string) => [
    ...new Set(imports.filter(({ to }) => to === name).map(({ from }) => from)),
  ]

  test('listr2 is configured in one place', () => {
    expect(users('listr2')).toEqual(['lib/terminal/pipeline.ts'])
  })

  test('papaparse is in one place', () => {
    expect(users('papaparse')).toEqual(['lib/files/csv.ts'])
  })

  test('ky is the business of openrouter alone', () => {
    expect(users('ky').filter((path) => !within('lib/openrouter')(path))).toEqual([])
    expect(users('ky')).not.toEqual([])
  })

  test('SQLite and Drizzle are the business of db alone', () => {
    for (const name of ['better-sqlite3', 'drizzle-orm']) {
      expect(users(name).filter((path) => !within('db')(path))).toEqual([])
      expect(users(name)).not.toEqual([])
    }
  })

  test('the ledger is the only door to the database', () => {
    const doors = ['db/open.ts', 'db/ledger.ts', 'db/run-lock.ts']
    const others = imports.filter(
      ({ from, to, typeOnly }) => within('db')(to) && !within('db')(from) && !typeOnly && !doors.includes(to),
    )
    expect(said(others)).toEqual([])
  })
})

describe('importing is not running', () => {
  const modules = [...sources.filter(within('commands')), 'lib/terminal/uncaught.ts', 'index.ts']

  test('a command or the index prints nothing, opens nothing and listens to nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'class-keys-import-'))
    try {
      const urls = modules.map((path) => pathToFileURL(join(SRC, path)).href)
      // What is loaded to load the sources is there before; only what comes on top is counted.
      const script = `
        const listening = () => ['SIGINT', 'SIGTERM', 'SIGHUP', 'exit', 'beforeExit', 'uncaughtException',
          'unhandledRejection'].map((name) => process.listenerCount(name)).join()
        await import(${JSON.stringify(import.meta.resolve('@oclif/core'))})
        const before = { listening: listening(), open: new Set(process.getActiveResourcesInfo()) }
        for (const url of ${JSON.stringify(urls)}) await import(url)
        await new Promise((resolve) => setImmediate(resolve))
        // Whatever reads the sources has files under way, and writes its cache.
        const opened = process.getActiveResourcesInfo().filter((kind) => !kind.startsWith('FSReq') && !before.open.has(kind))
        if (opened.length > 0) console.error(opened)
        process.exitCode = opened.length === 0 && listening() === before.listening && process.exitCode === undefined ? 0 : 9
      `
      const tsx = import.meta.resolve('tsx')
      const env = { PATH: process.env.PATH, HOME: folder }
      const ran = spawnSync(process.execPath, ['--import', tsx, '--input-type=module', '-e', script], {
        cwd: folder,
        env,
        encoding: 'utf8',
        timeout: 60_000,
      })
      expect([ran.stdout, ran.stderr, ran.status, ran.signal]).toEqual(['', '', 0, null])
      expect(readdirSync(folder)).toEqual([])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('the index gives types alone', () => {
    expect(imports.filter(({ from, typeOnly }) => from === 'index.ts' && !typeOnly)).toEqual([])
  })

  test('each command is found by its file: init-db in init-db.ts, as the class that the file exports', async () => {
    for (const path of modules.filter(within('commands'))) {
      const { default: command } = await import(pathToFileURL(join(SRC, path)).href)
      expect(command.enableJsonFlag, path).toBe(true)
      expect(command.summary, path).toMatch(/^[A-Z].*\.$/)
      expect(relative('commands', path)).toMatch(/^[a-z-]+\.ts$/)
    }
  })
})
