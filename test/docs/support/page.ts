/** One command of a page, and what the page says that it prints. */
export interface Shown {
  kind: 'command'
  command: string
  /** The lines of the page below the command, by their numbers from 0. */
  from: number
  to: number
  printed: string[]
}

/** A comment of a page: something that happens and is not typed. */
export interface Happening {
  kind: 'happening'
  words: string
}

/** Comments that are the marks of oclif's reference, and nothing that happens. */
const MARKS = new Set(['commands', 'commandsstop'])

/** What happens on a page, in its order. */
export function readPage(text: string): (Shown | Happening)[] {
  const steps: (Shown | Happening)[] = []
  let inBlock = false
  let shown: Shown | undefined
  for (const [number, line] of text.split('\n').entries()) {
    const words = /^<!-- (.+) -->$/.exec(line)?.[1]
    if (!inBlock && words !== undefined && !MARKS.has(words)) steps.push({ kind: 'happening', words })
    if (!inBlock || line === '```') {
      inBlock = line === '```console'
      shown = undefined
    } else if (line.startsWith('$ ')) {
      shown = { kind: 'command', command: line.slice(2), from: number + 1, to: number + 1, printed: [] }
      steps.push(shown)
    } else if (shown) {
      shown.printed.push(line)
      shown.to = number + 1
    } else throw new Error(`line ${number + 1}: a block of the console begins with a command`)
  }
  return steps
}

/** A page with other lines below some of its commands. */
export function rewritePage(text: string, printed: ReadonlyMap<Shown, readonly string[]>): string {
  const lines = text.split('\n')
  for (const [{ from, to }, now] of [...printed].reverse()) lines.splice(from, to - from, ...now)
  return lines.join('\n')
}

/** What is another thing at each run; the order counts. */
const FLEETING: [RegExp, string][] = [
  [/sk-or-v1-(?:[0-9a-f]{64}|…)/g, 'SECRET'],
  [/\b[0-9a-f]{64}\b/g, 'HASH'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/127\.0\.0\.1:\d+/g, 'ADDRESS'],
  [/(?<!\d)\d{8}_\d{6}(?:-\d+)?/g, 'TIMESTAMP'],
  [/(?<!\d)20\d{6}_/g, 'DAY_'],
  [/(?<!\d)20\d{0,6}…/g, 'DAY…'],
  [/\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?/g, 'MOMENT'],
  [/\b\d\d:\d\d(?::\d\d)?\b/g, 'MOMENT'],
  [/\bprocess \d+/g, 'process PID'],
]

function normal(line: string): string {
  return FLEETING.reduce((text, [pattern, word]) => text.replace(pattern, word), line).trimEnd()
}

/** Whether a page's lines are what was printed. A line `…` stands for any number of lines. */
export function isAsShown(shown: readonly string[], printed: readonly string[]): boolean {
  const fits = (wanted: readonly string[], given: readonly string[]): boolean => {
    const [first, ...rest] = wanted
    if (first === undefined) return given.length === 0
    if (first === '…') return fits(rest, given) || (given.length > 0 && fits(wanted, given.slice(1)))
    return given.length > 0 && first === given[0] && fits(rest, given.slice(1))
  }
  return fits(shown.map(normal), printed.map(normal))
}
