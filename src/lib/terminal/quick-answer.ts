import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { paint } from './colour.js'
import { type ListedCommand, rootHelp } from './root-help.js'

/**
 * Answers what takes no more than a look at the package: its version, and which commands there are. To load oclif for
 * that takes longer than all the rest of such a start.
 * @param argv the words of the call
 * @param root where package.json is
 * @returns what oclif prints for these words, with its line end; undefined for anything else
 */
export function quickAnswer(argv: readonly string[], root: string): string | undefined {
  const [word, ...more] = argv
  if (more.length > 0) return undefined
  if (word === '--version' || word === '-v') return `${versionText(readJson(join(root, 'package.json')))}\n`
  if (word === undefined || word === '--help' || word === '-h' || word === 'help') return rootHelpOf(root)
  return undefined
}

function rootHelpOf(root: string): string {
  const pack = readJson(join(root, 'package.json'))
  const { commands }: { commands: Record<string, ListedCommand> } = readJson(
    join(root, 'oclif.manifest.json'),
  )
  const of = { version: versionText(pack), description: pack.description, commands: Object.values(commands) }
  return rootHelp(of, { width: width(), heading: (text) => paint('bold', text) })
}

/** What oclif calls the user agent. */
function versionText({ name, version }: { name: string; version: string }): string {
  return `${name}/${version} ${process.platform}-${process.arch} node-${process.version}`
}

// biome-ignore lint/suspicious/noExplicitAny: both files are made by this project, and one of them by its build
function readJson(path: string): any {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** How wide oclif takes a terminal to be, in characters. */
function width(): number {
  const asked = Number.parseInt(process.env.OCLIF_COLUMNS ?? '', 10)
  return asked || (process.stdout.isTTY && process.stdout.columns ? Math.max(process.stdout.columns, 40) : 80)
}
