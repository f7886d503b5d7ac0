/** What the manifest says of a command. */
export interface ListedCommand {
  id: string
  hidden?: boolean
  summary?: string
  description?: string
}

/** What stands in the help of the whole program. */
export interface ProgramText {
  version: string
  description: string
  commands: readonly ListedCommand[]
}

const BIN = 'class-keys'
const INDENT = '  '

/**
 * The help of the whole program as oclif prints it, without oclif.
 * @param width characters in a line
 * @param heading sets a heading off
 */
export function rootHelp(
  { version, description, commands }: ProgramText,
  { width, heading }: { width: number; heading: (text: string) => string },
): string {
  const listed = commands
    .filter(({ hidden, id }) => !hidden && !id.includes(':'))
    .map(({ id, summary, description: text = '' }) => ({ id, text: asPrinted(summary ?? text) }))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const sections = [
    ['VERSION', wrap(version, width - INDENT.length)],
    ['USAGE', [`$ ${BIN} [COMMAND]`]],
    ['COMMANDS', commandLines(listed, width - INDENT.length)],
  ] as const
  const blocks = sections.map(([title, lines]) =>
    [heading(title), ...lines.map((line) => `${INDENT}${line}`)].join('\n'),
  )
  return `${[description, ...blocks].join('\n\n')}\n\n`
}

/** The first line of a text, the program's name in its place. */
function asPrinted(text: string): string {
  return text.replaceAll('<%= config.bin %>', BIN).split('\n')[0] ?? ''
}

/** A column of names, and beside it what each is for. */
function commandLines(commands: readonly { id: string; text: string }[], width: number): string[] {
  const column = commands.reduce((most, { id }) => Math.max(most, id.length), 0) + INDENT.length
  return commands.flatMap(({ id, text }) =>
    wrap(text, width - column).map((line, i) => `${(i === 0 ? id : '').padEnd(column)}${line}`),
  )
}

/** Breaks a plain text between words; a word that is longer than the line stays whole. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
