// What makes the bundled oclif start in a third of its time, without changing what it does. Each of these was measured;
// docs/adr/0011-one-bundle.md has the figures. A new oclif that does not fit any more fails the build.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const CORE = /@oclif[\\/]core[\\/]lib[\\/].*\.js$/

/** Its own modules and the packages it uses are loaded when they are used, and not when they are named. */
function loadWhenUsed(source) {
  const lazily = source.replaceAll(
    /^const (\w+) = ((?:__importDefault\(|__importStar\()?require\("[^"]+"\)\)?);$/gm,
    (_, name, load) => `const ${name} = __whenUsed(() => ${load});`,
  )
  if (lazily === source) return source
  const helper =
    'const __whenUsed = (load) => { let it; return new Proxy({}, { get: (_, name) => (it ??= load())[name] }); };'
  return lazily.replace(/^("use strict";\n)?/, (first) => `${first}${helper}\n`)
}

/** Sorts commands by their ids, which are ASCII: the first comparison by language loads the tables of all languages. */
function sortPlainly(source) {
  return replaceOnce(source, 'a.id.localeCompare(b.id)', '(a.id < b.id ? -1 : 1)')
}

/** Reads the manifest at once: to wait for one small file takes longer than to read it. */
function readAtOnce(source) {
  return replaceOnce(
    source,
    "await (0, promises_1.readFile)(path, 'utf8')",
    "(0, node_fs_1.readFileSync)(path, 'utf8')",
  )
}

const EDITS = { [join('config', 'plugin.js')]: sortPlainly, [join('util', 'fs.js')]: readAtOnce }

/**
 * The system, without asking a PowerShell for its parent at every start on Windows, nor reading several files to find
 * out whether Linux runs inside of Windows.
 */
const SYSTEM = `
const { homedir, platform, release, userInfo } = require('node:os')
exports.getHomeDir = () => homedir()
exports.getPlatform = async () => (platform() === 'linux' && /microsoft/i.test(release()) ? 'wsl' : platform())
exports.getShell = async () =>
  (process.env.SHELL ?? (platform() === 'win32' ? 'powershell' : userInfo().shell) ?? 'unknown').split('/').at(-1)
`

/** Packages that are there only where what they do is asked for. */
const WRAPPED = {
  debug: `
    const quiet = Object.assign(() => {}, { enabled: false, extend: () => quiet })
    module.exports = process.env.DEBUG ? require('debug') : Object.assign(() => quiet, { formatters: {} })`,
  ejs: `
    exports.render = (text, ...more) => (text.includes('<%') ? require('ejs').render(text, ...more) : text)`,
}

function replaceOnce(source, from, to) {
  if (source.split(from).length !== 2)
    throw new Error(`oclif no longer has one ${from}: see scripts/lean-oclif.js`)
  return source.replace(from, to)
}

/** The plugin for esbuild. */
export const leanOclif = {
  name: 'lean-oclif',
  setup(build) {
    build.onLoad({ filter: CORE }, async ({ path }) => {
      if (path.endsWith(join('util', 'os.js'))) return { contents: SYSTEM, loader: 'js' }
      const source = await readFile(path, 'utf8')
      const edit = Object.entries(EDITS).find(([file]) => path.endsWith(file))?.[1] ?? ((same) => same)
      return { contents: loadWhenUsed(edit(source)), loader: 'js' }
    })
    build.onResolve({ filter: /^(debug|ejs)$/ }, ({ path, importer, namespace, resolveDir }) =>
      namespace !== 'when-asked-for' && CORE.test(importer)
        ? { path, namespace: 'when-asked-for', pluginData: resolveDir }
        : undefined,
    )
    build.onLoad({ filter: /.*/, namespace: 'when-asked-for' }, ({ path, pluginData }) => ({
      contents: WRAPPED[path],
      loader: 'js',
      resolveDir: pluginData,
    }))
  },
}
